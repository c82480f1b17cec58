// The summary of problems takes the focus; its links bring the label into view, then the control.
document.querySelector('[data-problem]')?.focus();

document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-problem] a[href^="#"]');
  const control = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (!control) return;
  event.preventDefault();
  (control.closest('fieldset, .field') ?? control).scrollIntoView({ block: 'start' });
  control.focus({ preventScroll: true });
});
