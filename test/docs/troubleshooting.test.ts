import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { registeredCodes, thrownCodes, wordsOfType } from '../support/error-codes.ts'

const guide = readFileSync(new URL('../../docs/guides/troubleshooting.md', import.meta.url), 'utf8')

/** The entries of the guide: the words of a heading, and what stands below it. */
const entries = guide.split(/^### /m).slice(1)
const headings = entries.map((entry) => entry.split('\n')[0] ?? '')
const codes = headings.flatMap((heading) => heading.split(', '))
const entryOf = (code: string) =>
  entries[headings.findIndex((one) => one.split(', ').includes(code))]

const reasonsOf = (className: string) =>
  wordsOfType('errors.ts', (node) => {
    if (!ts.isPropertyDeclaration(node) || node.name.getText() !== 'reason') return false
    return ts.isClassDeclaration(node.parent) && node.parent.name?.text === className
  })

describe('the guide for errors', () => {
  const thrown = thrownCodes()
  const registered = registeredCodes()
  const declared = wordsOfType('errors.ts', (node) => {
    return ts.isTypeAliasDeclaration(node) && node.name.text === 'CredentialErrorCode'
  })

  it('has one entry for every code that the source gives an error', () => {
    const missing = [...thrown, ...declared].filter((code) => !codes.includes(code))

    expect(missing).toEqual([])
    expect(thrown.size).toBeGreaterThan(35)
  })

  it('is compared with codes from arguments, choices, members and functions that take one', () => {
    const examples = ['no_tenant', 'timeout', 'session_lost', 'configuration', 'outcome_unknown']

    expect([...thrown]).toEqual(expect.arrayContaining(examples))
  })

  it('has one entry for every code of an authorization server that keeps its name', () => {
    expect([...registered].filter((code) => !codes.includes(code))).toEqual([])
    expect(registered.size).toBeGreaterThan(20)
  })

  it('has no entry twice, and none for a code that no error has', () => {
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([])
    const known = new Set([...thrown, ...declared, ...registered])
    expect(codes.filter((code) => !known.has(code))).toEqual([])
  })

  it.each(['LoginRequiredError', 'StoreError'])('explains every reason of a %s', (className) => {
    const entry = entryOf(className === 'StoreError' ? 'store' : 'login_required')
    const reasons = reasonsOf(className)
    expect(reasons.size).toBeGreaterThan(1)
    expect([...reasons].filter((reason) => entry?.includes(`\`${reason}\``) !== true)).toEqual([])
  })

  it('says of every code what it means and what to do', () => {
    const short = entries.filter((entry) => entry.slice(entry.indexOf('\n')).trim().length < 80)

    expect(short).toEqual([])
  })
})
