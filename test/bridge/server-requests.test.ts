import { describe, expect, it } from 'vitest'
import { recentRequests } from '../../src/bridge/recent-requests.ts'

describe('the requests of a server that are open', () => {
  it('are known by their sessions until they are taken', () => {
    const requests = recentRequests<string>()
    requests.add('number 1', 'first')
    requests.add('string 1', 'second')

    const taken = [requests.take('number 1'), requests.take('number 1'), requests.take('string 1')]

    expect(taken).toEqual(['first', undefined, 'second'])
  })

  it('are told apart by their sessions', () => {
    const requests = recentRequests<string>()
    for (const key of ['a', 'b']) requests.add(key, 'old')
    requests.add('c', 'new')

    expect(requests.keysOf('old')).toEqual(['a', 'b'])
    expect([requests.take('a'), requests.take('c')]).toEqual(['old', 'new'])
  })

  it('are forgotten beyond the latest thousand, and those with endless identifiers at once', () => {
    const requests = recentRequests<string>()
    for (let id = 0; id < 1001; id += 1) requests.add(`number ${id}`, 'session')
    requests.add(`string ${'x'.repeat(100_000)}`, 'session')

    const keys = requests.keysOf('session')

    expect([keys.length, keys[0], keys.at(-1)]).toEqual([1000, 'number 1', 'number 1000'])
  })
})
