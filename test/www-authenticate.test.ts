import { describe, expect, it } from 'vitest'
import { parseChallenges } from '../src/www-authenticate.ts'

type Expected = [scheme: string, parameters: Record<string, string>, token68?: string]

const corpus: [string, string, Expected[]][] = [
  ['a lone scheme', 'Bearer', [['bearer', {}]]],
  [
    'quoted parameters',
    'Bearer realm="example", error="invalid_token"',
    [['bearer', { realm: 'example', error: 'invalid_token' }]],
  ],
  ['an unquoted value', 'Bearer error=invalid_token', [['bearer', { error: 'invalid_token' }]]],
  [
    'an unquoted URL',
    'Bearer resource_metadata=https://a.example/x?y=1',
    [['bearer', { resource_metadata: 'https://a.example/x?y=1' }]],
  ],
  [
    'quoted escapes',
    'Bearer realm="say \\"hi\\", \\\\ ok"',
    [['bearer', { realm: 'say "hi", \\ ok' }]],
  ],
  [
    'a comma and a scheme inside quotes',
    'Bearer realm="a, Basic realm=b"',
    [['bearer', { realm: 'a, Basic realm=b' }]],
  ],
  [
    'two challenges in one value',
    'Basic realm="simple", Bearer realm="x", scope="a b"',
    [
      ['basic', { realm: 'simple' }],
      ['bearer', { realm: 'x', scope: 'a b' }],
    ],
  ],
  [
    'a scheme without parameters before another',
    'Negotiate, Bearer scope="a"',
    [
      ['negotiate', {}],
      ['bearer', { scope: 'a' }],
    ],
  ],
  [
    'a token68 value',
    'Negotiate YII+/abc==, Basic realm="x"',
    [
      ['negotiate', {}, 'YII+/abc=='],
      ['basic', { realm: 'x' }],
    ],
  ],
  [
    'names and schemes in any case',
    'BEARER Realm="x", ERROR="y"',
    [['bearer', { realm: 'x', error: 'y' }]],
  ],
  [
    'space around the equals sign',
    'Bearer realm = "x" , error= y',
    [['bearer', { realm: 'x', error: 'y' }]],
  ],
  [
    'empty list members',
    ', ,Bearer realm="x",, error="y", ,',
    [['bearer', { realm: 'x', error: 'y' }]],
  ],
  [
    'a repeated parameter, of which the first counts',
    'Bearer scope="a", scope="b"',
    [['bearer', { scope: 'a' }]],
  ],
  [
    'a repeated scheme',
    'Bearer realm="a", Bearer realm="b"',
    [
      ['bearer', { realm: 'a' }],
      ['bearer', { realm: 'b' }],
    ],
  ],
  [
    'what is broken, and goes on behind it',
    '"what", Bearer realm="x"',
    [['bearer', { realm: 'x' }]],
  ],
  ['nothing', '', []],
]

describe('parseChallenges', () => {
  for (const [what, header, expected] of corpus) {
    it(`row 11: reads ${what}`, () => {
      const parsed = parseChallenges(header).map(({ scheme, parameters, token68 }) =>
        token68 === undefined
          ? [scheme, Object.fromEntries(parameters)]
          : [scheme, Object.fromEntries(parameters), token68],
      )

      expect(parsed).toEqual(expected)
    })
  }

  for (const hostile of [
    'Bearer realm="',
    'Bearer realm="\\',
    'Bearer =',
    '=,=,=',
    '\u0000\u0001',
    `Bearer ${'a'.repeat(100_000)}`,
    '"'.repeat(100_000),
    'Bearer a="'.repeat(50_000),
    'a,'.repeat(100_000),
    `Bearer x="${'\\'.repeat(100_001)}`,
  ]) {
    it(`survives ${hostile.length} characters beginning with ${JSON.stringify(hostile.slice(0, 12))}`, () => {
      expect(() => parseChallenges(hostile)).not.toThrow()
    })
  }

  it('reads no challenge from a header that is absent', () => {
    expect(parseChallenges(null)).toEqual([])
  })
})
