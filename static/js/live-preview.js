// <live-preview target="#id"> around a GET form: a change fetches the form's address and swaps the target.
// Around a POST form, `src` is the page to fetch, with the form's visible fields in its query.
import { fetchDocument } from './fragment.js';

class LivePreview extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector('form');
    this.form?.addEventListener('change', () => this.refresh());
    this.form?.addEventListener('input', () => {
      clearTimeout(this.typing);
      if (this.form.checkValidity()) this.typing = setTimeout(() => this.refresh(), 250);
    });
  }

  address() {
    const source = this.getAttribute('src');
    const url = new URL(source || this.form.getAttribute('action') || location.pathname, location.href);
    if (!source) url.search = new URLSearchParams(new FormData(this.form));
    for (const field of source ? this.querySelectorAll('.input') : []) url.searchParams.set(field.name, field.value);
    return url;
  }

  async refresh() {
    const target = document.querySelector(this.getAttribute('target'));
    clearTimeout(this.typing);
    const url = this.address();
    if (url.href === this.shown) return;
    this.shown = url.href;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    target.setAttribute('aria-busy', 'true');
    try {
      const { ok, page } = await fetchDocument(url, { signal: asking.signal, headers: { 'X-Fragment': target.id } });
      const next = ok ? page?.getElementById(target.id) : null;
      if (!next) throw new Error('no fragment');
      target.replaceChildren(...next.childNodes);
      history.replaceState(null, '', url);
    } catch (error) {
      if (error.name !== 'AbortError') location.assign(url);
    } finally {
      if (this.asking === asking) target.removeAttribute('aria-busy');
    }
  }
}

customElements.define('live-preview', LivePreview);
