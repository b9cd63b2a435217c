/** As much of a browser as a login needs: cookies, redirects and forms. */
export class Browser {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(issuer: string) {
    this.#origin = issuer
  }

  /** Follows redirects to the end, which may be on another origin of this machine. */
  async visit(url: URL, init: RequestInit = {}): Promise<void> {
    await this.#load(url, init)
  }

  /** Fills in the form of a page, and confirms what comes after it. */
  async submit(url: URL, fields: Record<string, string>): Promise<void> {
    let page = await this.#load(url)
    for (let step = 0; step < 4; step += 1) {
      const form = readForm(page)
      if (form === undefined) return
      const body = new URLSearchParams({ ...form.fields, ...fields })
      page = await this.#load(new URL(form.action, this.#origin), { method: 'POST', body })
    }
  }

  async #load(url: URL, init: RequestInit = {}): Promise<string> {
    let target = url
    let request = init
    for (let hop = 0; hop < 12; hop += 1) {
      const isOwn = target.origin === this.#origin
      const headers = isOwn ? { cookie: this.#cookieHeader() } : {}
      const response = await fetch(target, { ...request, headers, redirect: 'manual' })
      if (isOwn) this.#keep(response)
      const location = response.headers.get('location')
      if (location === null || !isOwn) return response.text()
      target = new URL(location, target)
      request = {}
    }
    throw new Error(`The login went round in circles, last at ${target.pathname}.`)
  }

  #keep(response: Response): void {
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';')
      const split = pair.indexOf('=')
      this.#cookies.set(pair.slice(0, split), pair.slice(split + 1))
    }
  }

  #cookieHeader(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }
}

function readForm(page: string) {
  const form = /<form[^>]*action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/.exec(page)
  if (form === null) return undefined
  const [, action = '', inside = ''] = form
  const fields: Record<string, string> = {}
  for (const [input] of inside.matchAll(/<input[^>]*>/g)) {
    const name = /name="([^"]+)"/.exec(input)?.[1]
    if (name !== undefined) fields[name] = /value="([^"]*)"/.exec(input)?.[1] ?? ''
  }
  return { action, fields }
}
