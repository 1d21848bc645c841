"""Generates pages in docs/, and parts of others: `./pants docs`."""

import catalogue
import chart
import command_line
import compose
import configuration
import failures
import images
import peers
import performance
import source_reference
import valkey_users

if __name__ == "__main__":
    command_line.PAGE.write_text(command_line.page(), "utf-8")
    configuration.PAGE.write_text(configuration.page(), "utf-8")
    failures.PAGE.write_text(failures.page(), "utf-8")
    peers.PAGE.write_text(peers.page(), "utf-8")
    source_reference.PAGE.write_text(source_reference.page(), "utf-8")
    for page, text in performance.pages().items():
        page.write_text(text, "utf-8")
    valkey_users.FILE.write_text(valkey_users.text(), "utf-8")
    for file, text in {**compose.files(), **chart.files()}.items():
        file.write_text(text, "utf-8")
    catalogue.PAGE.write_text(catalogue.page(), "utf-8")
    images.write()
