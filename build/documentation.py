"""Writes the pages in docs/ that are generated: `./pants docs`."""

import configuration
import failures
import images
import peers

if __name__ == "__main__":
    configuration.PAGE.write_text(configuration.page(), "utf-8")
    failures.PAGE.write_text(failures.page(), "utf-8")
    peers.PAGE.write_text(peers.page(), "utf-8")
    images.write()
