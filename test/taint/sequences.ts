/** What belongs together in a story: sequences that single operations in random order reach too rarely. */
import fc from 'fast-check'
import { wanderers, withGivenTokens } from './configuration.ts'
import {
  answers,
  type Guise,
  issuer,
  type Operation,
  ownEndpoints,
  resourceChange,
  restart,
  seconds,
  type Traits,
} from './operations.ts'
import { endpointNames, type IssuerName } from './types.ts'

const send = (index: number): Operation => ({
  do: 'request',
  who: index,
  to: 'its server',
  waits: true,
})

const plainTraits: Traits = {
  sendsIssuer: true,
  pushed: false,
  rotates: true,
  grantsMore: false,
  failsToRevoke: false,
  slow: 0,
}
const plainGuise: Omit<Guise, 'endpoints'> = {
  query: '',
  registersAs: 'a new client',
  wantsCertificates: false,
  forwardsTo: undefined,
}
const honestUser: Operation = { do: 'user', manner: 'logs in' }
/** Nothing else leads to a login. */
const honestServer: Operation = {
  do: 'resource',
  resource: 'notes',
  manner: 'ok',
  answersLeft: 0,
  slow: 0,
  pointsToMetadata: true,
}
const two = fc.shuffledSubarray<IssuerName>(['honest', 'careless', 'hostile'], {
  minLength: 2,
  maxLength: 2,
})

/** A server moves from one issuer to another and back, some of whose answers are of no use. */
const moves = fc
  .record({
    from: issuer,
    to: issuer,
    manner: fc.option(answers),
    times: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ from, to, manner, times }): Operation[] =>
    Array.from({ length: times }, (): Operation[] => [
      { do: 'names', resource: 'notes', issuer: from },
      send(0),
      ...(manner === null ? [] : [{ ...manner, issuer: to }]),
      { do: 'names', resource: 'notes', issuer: to },
      send(0),
      { do: 'advance', seconds: 10 },
    ]).flat(),
  )

/** One of two who share a login ends it. */
const ends = fc
  .record({ first: send2(), later: seconds })
  .map(({ first, later }): Operation[] => [
    send(first),
    send(1 - first),
    { do: 'logout', who: first, waits: true },
    { do: 'advance', seconds: later },
    send(1 - first),
    send(first),
  ])

function send2(): fc.Arbitrary<number> {
  return fc.constantFrom(0, 1)
}

/** Something is under way when it is all over. */
const interrupted = fc
  .record({
    change: resourceChange,
    what: fc.constantFrom('close' as const, 'logout' as const),
    before: fc.boolean(),
  })
  .map(({ change, what, before }): Operation[] => [
    ...(before ? [send(0)] : []),
    { ...change, resource: 'notes', slow: 2 },
    { do: 'request', who: 0, to: 'its server', waits: false },
    { do: what, who: 0, waits: true },
    { do: 'advance', seconds: 10 },
  ])

/** A renewal is answered with something of no use. */
const renewal = fc
  .record({ change: answers, later: seconds })
  .map(({ change, later }): Operation[] => [
    send(0),
    { ...change },
    { do: 'advance', seconds: 1000 },
    send(0),
    { do: 'advance', seconds: later },
    send(0),
  ])

/** The application is started again, with other options, and ends the login. */
const started = restart.map((change): Operation[] => [
  send(change.who),
  change,
  send(change.who),
  { do: 'logout', who: change.who, waits: true },
])

/** A server moves to and fro in front of a client that logs in wherever it is told to. */
const flips = fc
  .record({ config: wanderers, between: two, times: fc.integer({ min: 2, max: 5 }) })
  .map(({ config, between, times }): Operation[] => [
    honestUser,
    honestServer,
    { do: 'guise', guise: { ...plainGuise, endpoints: ownEndpoints } },
    { do: 'restart', who: 0, config },
    ...Array.from({ length: 2 * times }, (_each, index): Operation[] => [
      { do: 'names', resource: 'notes', issuer: between[index % 2] ?? 'honest' },
      send(0),
    ]).flat(),
  ])

/** The hostile server lets users log in elsewhere, at a server that does not say who it is. */
const mixUp = fc
  .record({ config: wanderers, victim: fc.constantFrom('honest' as const, 'careless' as const) })
  .map(({ config, victim }): Operation[] => [
    honestUser,
    { do: 'traits', issuer: victim, traits: { ...plainTraits, sendsIssuer: false } },
    { do: 'traits', issuer: 'hostile', traits: { ...plainTraits, sendsIssuer: false } },
    {
      do: 'guise',
      guise: { ...plainGuise, endpoints: { ...ownEndpoints, authorize: victim } },
    },
    { do: 'names', resource: 'notes', issuer: 'hostile' },
    { do: 'restart', who: 0, config: { ...config, kind: 'authorizationCode' } },
    { do: 'login', who: 0, waits: true },
    send(0),
  ])

/** A client with a certificate is told of an endpoint of another server for those who have one. */
const certificates = fc
  .record({
    config: wanderers,
    endpoint: fc.constantFrom(...endpointNames),
    other: fc.constantFrom('honest' as const, 'careless' as const),
    pushed: fc.boolean(),
  })
  .map(({ config, endpoint, other, pushed }): Operation[] => [
    honestUser,
    { do: 'traits', issuer: 'hostile', traits: { ...plainTraits, pushed } },
    {
      do: 'guise',
      guise: {
        ...plainGuise,
        endpoints: { ...ownEndpoints, [endpoint]: other },
        wantsCertificates: true,
      },
    },
    { do: 'names', resource: 'notes', issuer: 'hostile' },
    { do: 'restart', who: 0, config: { ...config, isKnown: true, auth: 'certificate' } },
    send(0),
    { do: 'all tokens end' },
    send(0),
    { do: 'logout', who: 0, waits: true },
  ])

/** The login of a client that was given a refresh token ends, and the client goes on. */
const given = fc
  .record({
    config: withGivenTokens,
    manner: fc.option(answers),
    begins: fc.boolean(),
    ends: fc.constantFrom<'logout' | 'all tokens end'>('logout', 'logout', 'all tokens end'),
    restarts: fc.boolean(),
    asks: fc.boolean(),
  })
  .map(({ config, manner, begins, ends, restarts, asks }): Operation[] => [
    { do: 'names', resource: 'notes', issuer: config.pin ?? 'honest' },
    { do: 'restart', who: 0, config },
    ...(manner === null ? [] : [{ ...manner, issuer: config.pin ?? 'honest' }]),
    ...(begins ? [send(0)] : []),
    ends === 'logout' ? { do: 'logout', who: 0, waits: true } : { do: ends },
    { do: 'advance', seconds: 130 },
    ...(restarts ? [{ do: 'restart' as const, who: 0, config: undefined }] : []),
    asks ? { do: 'login', who: 0, waits: true } : send(0),
    send(0),
  ])

export const sequence: fc.Arbitrary<readonly Operation[]> = fc.oneof(
  { weight: 2, arbitrary: moves },
  { weight: 1, arbitrary: ends },
  { weight: 2, arbitrary: interrupted },
  { weight: 2, arbitrary: renewal },
  { weight: 2, arbitrary: started },
  { weight: 1, arbitrary: flips },
  { weight: 1, arbitrary: mixUp },
  { weight: 1, arbitrary: certificates },
  { weight: 1, arbitrary: given },
)
