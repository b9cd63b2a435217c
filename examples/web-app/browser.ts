/** As much of a browser as the example needs: cookies, forms and redirects. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>()

  /** Sends a form, and returns the page at the end of the redirects. */
  submit(url: string, fields: Record<string, string>): Promise<string> {
    return this.#load(new URL(url), { method: 'POST', body: new URLSearchParams(fields) })
  }

  /**
   * Follows redirects to the end.
   *
   * @param stopAt - The path before which it stops; it then returns the URL with that path.
   */
  open(url: string, stopAt?: string): Promise<string> {
    return this.#load(new URL(url), {}, stopAt)
  }

  /** Sends a form, and returns the URL to which the server sends the browser. */
  async submitOnly(url: string, fields: Record<string, string>): Promise<string> {
    const target = new URL(url)
    const response = await this.#send(target, { method: 'POST', body: new URLSearchParams(fields) })
    return new URL(response.headers.get('location') ?? '', target).href
  }

  async #load(url: URL, init: RequestInit, stopAt?: string): Promise<string> {
    const response = await this.#send(url, init)
    const location = response.headers.get('location')
    if (location === null) return response.text()
    const next = new URL(location, url)
    return next.pathname === stopAt ? next.href : this.#load(next, {}, stopAt)
  }

  async #send(url: URL, init: RequestInit): Promise<Response> {
    const jar = this.#cookies.get(url.origin) ?? new Map<string, string>()
    this.#cookies.set(url.origin, jar)
    const cookie = [...jar].map((pair) => pair.join('=')).join('; ')
    const response = await fetch(url, { ...init, headers: { cookie }, redirect: 'manual' })
    for (const [pair = ''] of response.headers.getSetCookie().map((each) => each.split(';'))) {
      const split = pair.indexOf('=')
      jar.set(pair.slice(0, split), pair.slice(split + 1))
    }
    return response
  }
}
