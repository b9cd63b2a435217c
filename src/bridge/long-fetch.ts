/**
 * Requests whose answers may take as long as a tool does.
 *
 * @module
 */

/** Where undici keeps the dispatcher of the runtime's `fetch`, which a program may have replaced. */
const globalDispatcher = Symbol.for('undici.globalDispatcher.1')

interface Dispatcher {
  dispatch(options: object, handler: object): boolean
}

/**
 * The runtime's `fetch`, without its limits of 300 seconds for the headers and between two parts of the body. A call
 * ends when its client cancels it, or when its connection is lost.
 */
export function longFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const dispatcher = withoutTimeLimits()
  return dispatcher === undefined
    ? fetch(input, init)
    : fetch(input, { ...init, dispatcher } as RequestInit)
}

/** `undefined`: this runtime has another `fetch`. */
function withoutTimeLimits(): Dispatcher | undefined {
  // The runtime loads its `fetch` at the first use.
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
