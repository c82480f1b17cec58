// <live-count src every>: puts the texts of a JSON answer into the figures inside it that carry data-key.
// Rests while the page is hidden or the reader has paused it.
class LiveCount extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector('button[data-pause]');
    this.toggle = () => {
      this.paused = !this.paused;
      this.button.textContent = this.paused ? this.button.dataset.resume : this.button.dataset.pause;
      if (!this.paused) this.tick();
    };
    this.button?.addEventListener('click', this.toggle);
    this.timer = setInterval(() => this.tick(), (Number(this.getAttribute('every')) || 15) * 1000);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
    this.button?.removeEventListener('click', this.toggle);
  }

  async tick() {
    if (this.paused || document.hidden) return;
    try {
      const answer = await fetch(this.getAttribute('src'), { headers: { Accept: 'application/json' } });
      if (answer.ok) this.show(await answer.json());
    } catch {
      // The figures keep their "as of" time; the next tick asks again.
    }
  }

  show(texts) {
    for (const part of this.querySelectorAll('[data-key]')) {
      const text = texts[part.dataset.key];
      if (typeof text === 'string' && part.textContent !== text) part.textContent = text;
    }
  }
}

customElements.define('live-count', LiveCount);
