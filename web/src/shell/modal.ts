/** Dialogs over everything else. */

/**
 * Opens a dialog, and tells as soon as it is closed, however that came about. The browser's own `close` event is late: a
 * key that is pressed right after Escape comes before it.
 */
export function modal(dialog: HTMLDialogElement, closed: () => void): { destroy: () => void } {
  const watch = new MutationObserver(() => {
    if (dialog.open) return;
    watch.disconnect();
    closed();
  });
  dialog.showModal();
  watch.observe(dialog, { attributeFilter: ['open'] });
  return { destroy: () => watch.disconnect() };
}

/** Whether a dialog is open: keys are for it then. */
export const anyOpen = (): boolean => document.querySelector('dialog[open]') !== null;
