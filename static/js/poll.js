// <live-state src every>: asks for its own fragment and swaps itself when it changed. It slows down while
// nothing happens, rests while the page is hidden, and ends when the answer carries no src.
import { fetchDocument } from './fragment.js';

const SLOWEST = 15;

class LiveState extends HTMLElement {
  connectedCallback() {
    this.wait = Number(this.getAttribute('every')) || 2;
    this.wake = () => { if (!document.hidden) this.schedule(0); };
    document.addEventListener('visibilitychange', this.wake);
    this.schedule(this.wait);
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
    this.asking?.abort();
    document.removeEventListener('visibilitychange', this.wake);
  }

  schedule(seconds) {
    clearTimeout(this.timer);
    if (!this.hasAttribute('src')) return;
    this.timer = setTimeout(() => this.ask(), seconds * 1000);
  }

  async ask() {
    if (document.hidden) return;
    this.asking?.abort();
    this.asking = new AbortController();
    try {
      const { ok, page } = await fetchDocument(this.getAttribute('src'), { signal: this.asking.signal });
      const next = ok ? page?.querySelector('live-state') : null;
      if (next) this.become(next);
    } catch (error) {
      if (error.name === 'AbortError') return;
    }
    this.wait = Math.min(this.wait * 1.3, SLOWEST);
    this.schedule(this.wait);
  }

  become(next) {
    if (next.dataset.title) document.title = next.dataset.title;
    for (const name of ['src', 'every', 'data-title']) {
      if (next.hasAttribute(name)) this.setAttribute(name, next.getAttribute(name));
      else this.removeAttribute(name);
    }
    if (next.innerHTML.trim() !== this.innerHTML.trim()) this.replaceChildren(...next.childNodes);
  }
}

customElements.define('live-state', LiveState);
