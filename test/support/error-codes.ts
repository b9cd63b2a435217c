import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const source = new URL('../../src', import.meta.url).pathname
/** The findings of the doctor are no errors, and the test servers throw none. */
const elsewhere = /^(?:testing|cli\/doctor)\//
/** Errors that are made for their way to shorten a text, and never thrown. */
const texts = new Set(['label', 'text'])

const parse = (path: string) =>
  ts.createSourceFile(path, readFileSync(join(source, path), 'utf8'), ts.ScriptTarget.ES2022, true)

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

/** The words that an expression can be, as far as they are written in it. */
function wordsOf(expression: ts.Node | undefined): string[] {
  if (expression === undefined) return []
  if (ts.isStringLiteral(expression)) return [expression.text]
  if (ts.isConditionalExpression(expression)) {
    return [...wordsOf(expression.whenTrue), ...wordsOf(expression.whenFalse)]
  }
  if (ts.isBinaryExpression(expression)) {
    const { left, right, operatorToken } = expression
    const isChoice = [ts.SyntaxKind.BarBarToken, ts.SyntaxKind.QuestionQuestionToken]
    return isChoice.includes(operatorToken.kind) ? [...wordsOf(left), ...wordsOf(right)] : []
  }
  return ts.isParenthesizedExpression(expression) ? wordsOf(expression.expression) : []
}

const isCode = (name: ts.Node) => /^code$|Code$/.test(name.getText())

/** Where the functions of a file take a code: the position of the parameter. */
function codeParameters(file: ts.SourceFile): Map<string, number> {
  const positions = new Map<string, number>()
  walk(file, (node) => {
    if (!ts.isFunctionDeclaration(node) && !ts.isMethodDeclaration(node)) return
    const position = node.parameters.findIndex(({ name }) => isCode(name))
    if (position >= 0 && node.name !== undefined) positions.set(node.name.getText(), position)
  })
  return positions
}

function isSubclassOfOurs({ parent }: ts.Node): boolean {
  for (let node = parent; node !== undefined; node = node.parent) {
    if (ts.isClassDeclaration(node)) {
      return (
        node.heritageClauses?.some((clause) => /CredentialError/.test(clause.getText())) === true
      )
    }
  }
  return false
}

/** The expressions of a file that say what code an error has. */
function codeExpressions(file: ts.SourceFile): (ts.Node | undefined)[] {
  const positions = codeParameters(file)
  const found: (ts.Node | undefined)[] = []
  walk(file, (node) => {
    if (ts.isNewExpression(node) && node.expression.getText() === 'CredentialError') {
      found.push(node.arguments?.[0])
    }
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'code')
      found.push(node.initializer)
    if (ts.isVariableDeclaration(node) && isCode(node.name)) found.push(node.initializer)
    if (!ts.isCallExpression(node)) return
    const { expression } = node
    if (expression.kind === ts.SyntaxKind.SuperKeyword && isSubclassOfOurs(node)) {
      found.push(node.arguments[0])
    }
    const callee = ts.isPropertyAccessExpression(expression) ? expression.name : expression
    const position = positions.get(callee.getText())
    if (position !== undefined) found.push(node.arguments[position])
  })
  return found
}

/** The codes that errors of this library are given anywhere in its source. */
export function thrownCodes(): Set<string> {
  const codes = new Set<string>()
  for (const path of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts') || elsewhere.test(path)) continue
    for (const word of codeExpressions(parse(path)).flatMap(wordsOf)) {
      if (/^[a-z]+(?:_[a-z]+)*$/.test(word) && !texts.has(word)) codes.add(word)
    }
  }
  return codes
}

/** The members of a union type, such as the reasons of an error: all words that a file has at its place. */
export function wordsOfType(path: string, isPlace: (node: ts.Node) => boolean): Set<string> {
  const words = new Set<string>()
  walk(parse(path), (node) => {
    if (!isPlace(node)) return
    walk(node, (child) => {
      if (ts.isLiteralTypeNode(child) && ts.isStringLiteral(child.literal))
        words.add(child.literal.text)
    })
  })
  return words
}

/** The codes of authorization servers that a user of the library can get: they keep their names. */
export function registeredCodes(): Set<string> {
  const codes = new Set<string>()
  walk(parse('oauth/endpoint-answer.ts'), (node) => {
    if (!ts.isVariableDeclaration(node) || !ts.isNewExpression(node.initializer ?? node)) return
    const { name, initializer } = node
    if (!/^(?:refusedGrant|flow|other)Codes$/.test(name.getText()) || initializer === undefined)
      return
    walk(initializer, (child) => {
      if (ts.isStringLiteral(child)) codes.add(child.text)
    })
  })
  return codes
}
