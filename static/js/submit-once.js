// A POST form is sent once: a second press is answered in words, not with a second request.
const said = 'submit-once-said';

function explain(form) {
  const text = document.body.dataset.sending;
  if (!text || form.querySelector('.' + said)) return;
  const note = document.createElement('p');
  note.className = 'hint ' + said;
  note.setAttribute('role', 'status');
  form.append(note);
  note.textContent = text;
}

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.method !== 'post' || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    explain(form);
    return;
  }
  form.dataset.sent = '1';
  event.submitter?.setAttribute('aria-disabled', 'true');
});

// Coming back through the history shows the page as it was left: let the form be sent again.
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent;
    form.querySelectorAll('[aria-disabled]').forEach((button) => button.removeAttribute('aria-disabled'));
    form.querySelector('.' + said)?.remove();
  }
});
