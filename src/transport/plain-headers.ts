/**
 * Headers that are not sent themselves.
 *
 * @module
 */

// RFC 9110, section 5.6.2.
const token = /^[!#$%&'*+.^_`|~\w-]+$/
// The values that the Fetch Standard, section 2.2.2, allows: bytes without line breaks.
const sendable = /^[^\0\r\n\u0100-\uffff]*$/
const surroundingSpace = /^[\t\n\r ]+|[\t\n\r ]+$/g

/**
 * A replacement for the platform's `Headers` whose errors quote neither names nor values. The first use of
 * the platform's own loads its whole HTTP client, which takes Node 20 some 40 ms.
 */
export class PlainHeaders implements Headers {
  readonly #values = new Map<string, string>()

  append(name: string, value: string): void {
    const before = this.get(name)
    this.set(name, before === null ? value : `${before}, ${normalized(value)}`)
  }

  delete(name: string): void {
    this.#values.delete(lowerCase(name))
  }

  get(name: string): string | null {
    return this.#values.get(lowerCase(name)) ?? null
  }

  getSetCookie(): string[] {
    const value = this.get('set-cookie')
    return value === null ? [] : [value]
  }

  has(name: string): boolean {
    return this.#values.has(lowerCase(name))
  }

  set(name: string, value: string): void {
    this.#values.set(lowerCase(name), normalized(value))
  }

  forEach(callback: (value: string, name: string, parent: Headers) => void, self?: unknown): void {
    for (const [name, value] of this) callback.call(self, value, name, this)
  }

  entries(): HeadersIterator<[string, string]> {
    return this.#sorted().values()
  }

  keys(): HeadersIterator<string> {
    return this.#sorted()
      .map(([name]) => name)
      .values()
  }

  values(): HeadersIterator<string> {
    return this.#sorted()
      .map(([, value]) => value)
      .values()
  }

  [Symbol.iterator](): HeadersIterator<[string, string]> {
    return this.entries()
  }

  #sorted(): [string, string][] {
    return [...this.#values].sort(([left], [right]) => (left < right ? -1 : 1))
  }
}

function lowerCase(name: string): string {
  const text = String(name)
  if (!token.test(text)) throw new TypeError('The name of a header is not valid.')
  return text.toLowerCase()
}

function normalized(value: string): string {
  const text = String(value).replace(surroundingSpace, '')
  if (!sendable.test(text)) throw new TypeError('The value of a header is not valid.')
  return text
}
