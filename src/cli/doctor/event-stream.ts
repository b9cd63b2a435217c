/**
 * Reads the beginning of an event stream.
 *
 * @module
 */

/** One event. */
export interface StreamEvent {
  /** Its type; `message` unless it says another. */
  readonly type: string
  readonly data: string
}

/** The complete events at the beginning of a stream (HTML Standard, section 9.2.6). */
export function eventsIn(text: string): readonly StreamEvent[] {
  const blocks = text.replace(/\r\n?/g, '\n').split('\n\n').slice(0, -1)
  return blocks.flatMap((block) => {
    const values = (name: string) =>
      block
        .split('\n')
        .filter((line) => line.startsWith(`${name}:`))
        .map((line) => line.slice(name.length + 1).replace(/^ /, ''))
    const data = values('data').join('\n')
    // Servers begin with an empty event, from which a client may resume.
    return data === '' ? [] : [{ type: values('event').at(-1) ?? 'message', data }]
  })
}

/** Whether enough of a stream was read: where the older transport posts to, or the answer to a request. */
export function hasAnswer(text: string): boolean {
  return eventsIn(text).some(
    ({ type, data }) => type === 'endpoint' || /"(?:result|error)"\s*:/.test(data),
  )
}
