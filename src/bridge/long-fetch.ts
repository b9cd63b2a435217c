/**
 * Sends requests whose responses may take as long as a tool call.
 *
 * @module
 */

/** The key of the dispatcher of the runtime's `fetch`, which a program may have replaced. */
const globalDispatcher = Symbol.for('undici.globalDispatcher.1')

interface Dispatcher {
  dispatch(options: object, handler: object): boolean
}

/**
 * The runtime's `fetch`, without its time limits of 300 seconds for the headers and between two parts of
 * the body. A request ends when its client cancels it, or when the connection is lost.
 */
export function longFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const dispatcher = withoutTimeLimits()
  return dispatcher === undefined
    ? fetch(input, init)
    : fetch(input, { ...init, dispatcher } as RequestInit)
}

/** Returns a dispatcher without time limits; `undefined`: this runtime has another `fetch`. */
function withoutTimeLimits(): Dispatcher | undefined {
  // The runtime loads its `fetch` at first use.
  void Response
  const present: unknown = Reflect.get(globalThis, globalDispatcher)
  if (!isDispatcher(present)) return undefined
  const dispatch: Dispatcher['dispatch'] = (options, handler) =>
    present.dispatch({ ...options, headersTimeout: 0, bodyTimeout: 0 }, handler)
  return Object.create(present, { dispatch: { value: dispatch } }) as Dispatcher
}

function isDispatcher(value: unknown): value is Dispatcher {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Dispatcher>).dispatch === 'function'
  )
}
