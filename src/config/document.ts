/** YAML text → plain values that know where they stand. No substitution of any kind. */
import { type Document, isMap, isNode, isPair, isSeq, LineCounter, parseDocument, visit, type YAMLError } from 'yaml'
import type { Path } from './outline.ts'
import type { Finding } from './problems.ts'

/** More aliases than this are an attack or a mistake: nested ones multiply. */
const MOST_ALIASES = 100

export interface Place {
  readonly line: number
  readonly column: number
}

export interface ParsedFile {
  /** The content as plain values; undefined when there are problems. */
  readonly value: unknown
  readonly problems: readonly Finding[]
  /** Where the value at `path` stands, or the nearest block around it that is there. */
  locate(path: Path): Place
  /** Where the key at the end of `path` stands. */
  locateKey(path: Path): Place
}

const NO_ANCHOR = 'this alias (*name) names no anchor (&name) above'

/** The parser's own texts quote the line, and a line may hold a secret: these say the same without it. */
const SYNTAX: Partial<Record<YAMLError['code'], string>> = {
  DUPLICATE_KEY: 'this key stands twice in its block',
  MULTIPLE_DOCS: 'a second document begins here (---); the file must be one',
  TAB_AS_INDENT: 'a tab is used to indent; use blanks',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_ALIAS: NO_ANCHOR,
  TAG_RESOLVE_FAILED: 'a tag (!…) that is not known here',
  MISSING_CHAR: 'a quote, bracket, comma or colon is missing around here',
  BLOCK_AS_IMPLICIT_KEY: 'a block is not allowed here; is a line above missing its value or its indentation?',
  MULTILINE_IMPLICIT_KEY: 'a key must be on one line; is a colon missing?',
  BAD_SCALAR_START: 'a value may not begin with this character; put it in quotes',
  BAD_DQ_ESCAPE: 'an unknown escape in double quotes; use single quotes, or write \\\\',
  NON_STRING_KEY: 'a key must be plain text',
  RESOURCE_EXHAUSTION: 'the nesting is too deep',
}

/** Parses one YAML (or JSON) document. Never throws; the problems carry no text of the file. */
export function parseFile(text: string): ParsedFile {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    stringKeys: true,
    strict: true,
    logLevel: 'error',
  })
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const problems: Finding[] = [...document.errors, ...document.warnings].map(error => ({
    code: 'syntax',
    path: [],
    message: SYNTAX[error.code] ?? `not valid YAML here (${error.code.toLowerCase().replaceAll('_', ' ')})`,
    ...at(error.pos[0]),
  }))
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return
      problems.push({ code: 'syntax', path: [], message: NO_ANCHOR, ...at(startOf(alias) ?? 0) })
    },
  })
  let value: unknown
  if (problems.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: MOST_ALIASES })
    } catch {
      const message = `the aliases (*name) of this file unfold more than ${MOST_ALIASES} times over: refused`
      problems.push({ code: 'syntax', path: [], message, line: 1, column: 1 })
    }
  }
  return {
    value,
    problems,
    locate: path => at(offsetOf(document, path, false)),
    locateKey: path => at(offsetOf(document, path, true)),
  }
}

/** Offset of the deepest node on the way to `path` that is there. */
function offsetOf(document: Document, path: Path, key: boolean): number {
  let node: unknown = document.contents
  let offset = startOf(node) ?? 0
  for (const [index, step] of path.entries()) {
    const last = index === path.length - 1
    let next: unknown
    if (isMap(node)) {
      const pair = node.items.find(item => isPair(item) && String(item.key) === String(step))
      if (pair === undefined) return offset
      next = pair.value
      // An empty value has no place of its own worth showing, and for its key there is only the key's.
      if ((last && key) || startOf(next) === undefined) offset = startOf(pair.key) ?? offset
      else offset = startOf(next) ?? offset
    } else if (isSeq(node)) {
      next = node.items[Number(step)]
      offset = startOf(next) ?? offset
    } else return offset
    node = isNode(next) && 'resolve' in next && typeof next.resolve === 'function' ? next.resolve(document) : next
  }
  return offset
}

function startOf(node: unknown): number | undefined {
  if (!isNode(node) || node.range === undefined || node.range === null) return undefined
  const [start, end] = node.range
  return start === end ? undefined : start
}
