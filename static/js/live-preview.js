// <live-preview target="#id"> around a GET form: a change fetches the form's address and swaps the target.
import { fetchDocument } from './fragment.js';

class LivePreview extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector('form');
    this.form?.addEventListener('change', () => this.refresh());
  }

  async refresh() {
    const target = document.querySelector(this.getAttribute('target'));
    const url = new URL(this.form.getAttribute('action') || location.pathname, location.href);
    url.search = new URLSearchParams(new FormData(this.form));
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
      if (error.name !== 'AbortError') this.form.submit();
    } finally {
      if (this.asking === asking) target.removeAttribute('aria-busy');
    }
  }
}

customElements.define('live-preview', LivePreview);
