/** Secrets inside text: command lines, config files, headers, JSON in a string. Every pattern is linear in the text. */

export const MASK = '********'

const WORDS = 'pass(?:word|wd|phrase)|secret|token|credential|private[_-]?key|api[_-]?key'
/** A value in quotes (also escaped ones, as in JSON within JSON), or up to the next gap. */
const VALUE = String.raw`(?:(?<quote>\\{0,4}["'])[^\n]{0,4096}?\k<quote>|[^\s,;&"'<>]+)`
const TIE = String.raw`\\{0,4}["']?[ \t]{0,8}[:=][ \t]{0,8}`

const RULES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN ([A-Z ]{0,30}PRIVATE KEY)-----[\s\S]*?(?:-----END \1-----|$)/g, MASK],
  // Headers: the whole line, whatever its scheme.
  [/((?:authorization|cookie)\\{0,4}["']?[ \t]{0,8}[:=][ \t]{0,8}\\{0,4}["']?)[^\r\n"'\\]+/gi, `$1${MASK}`],
  [/\b(Bearer|JWT)[ \t]+[\w.~+/=-]{8,}/g, `$1 ${MASK}`],
  [/\beyJ[\w-]{8,4096}\.[\w-]{8,}\.[\w-]+/g, MASK],
  [new RegExp(String.raw`((?:${WORDS})[\w.-]{0,40}${TIE})${VALUE}`, 'gi'), `$1${MASK}`],
  [new RegExp(String.raw`(--?[\w-]{0,40}(?:${WORDS})[\w-]{0,40}[ \t]+)${VALUE}`, 'gi'), `$1${MASK}`],
  // user:password@host
  [/(:\/\/[^\s:/@]{0,200}:)[^\s/@]{1,200}@/g, `$1${MASK}@`],
  // Password hashes, as in /etc/shadow.
  [/\$(?:1|2[aby]|5|6|7|y|gy)\$[^\s:]{8,}/g, MASK],
]

const own = new WeakMap<readonly string[], RegExp>()

/** The text with what looks like a secret masked, and the values that follow one of `names` (any case). */
export function maskText(text: string, names: readonly string[] = []): string {
  // Binary values: what hides in them can't be cut out.
  if (text.startsWith('b64:')) {
    const inner = Buffer.from(text.slice(4), 'base64').toString('latin1')
    return maskText(inner, names) === inner ? text : MASK
  }
  let result = text
  for (const [pattern, mask] of RULES) result = result.replace(pattern, mask)
  return names.length === 0 ? result : result.replace(ownRule(names), `$1${MASK}`)
}

function ownRule(names: readonly string[]): RegExp {
  let rule = own.get(names)
  if (rule === undefined) {
    const any = names.map(name => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')
    rule = new RegExp(String.raw`((?<![\w.-])(?:${any})${TIE})${VALUE}`, 'gi')
    own.set(names, rule)
  }
  return rule
}
