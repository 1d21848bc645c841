// Holds work back that is asked for more often than it is worth doing.

/**
 * Wraps `work` so that it runs one at a time, and begins at most every `pause` ms. Asked meanwhile,
 * however often, it runs once more; while nobody looks at the page it waits.
 */
export function paced(work, pause) {
  let running = false;
  let wanted = false;

  async function run() {
    if (running || document.hidden) return;
    running = true;
    try {
      while (wanted && !document.hidden) {
        wanted = false;
        await Promise.all([work(), delay(pause)]);
      }
    } finally {
      running = false;
    }
  }

  document.addEventListener("visibilitychange", () => wanted && run());
  return () => {
    wanted = true;
    run();
  };
}

/** Does `work` now, and again `pause` ms after it was done, for as long as somebody looks. */
export function repeated(work, pause) {
  const again = paced(async () => {
    await work();
    setTimeout(again, pause);
  }, 0);
  again();
}

function delay(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
