// Fetches a page as a document. XMLHttpRequest parses it itself, so no string ever becomes markup
// here and Trusted Types can be required without a policy.
export function fetchDocument(url, { signal, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('GET', url);
    request.responseType = 'document';
    request.timeout = 15000;
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.onload = () => resolve({ ok: request.status >= 200 && request.status < 300, page: request.response });
    request.onerror = () => reject(new Error('unreachable'));
    request.ontimeout = request.onerror;
    request.onabort = () => reject(new DOMException('Superseded', 'AbortError'));
    signal?.addEventListener('abort', () => request.abort());
    request.send();
  });
}
