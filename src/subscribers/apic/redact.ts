/** Secrets in what an APIC shows. The guide's own example notification carries `encPwd`. */
import { spansOf } from './change-set.ts'
import { ownerOf, parentOf } from './dn.ts'

export const MASK = '********'

/**
 * Names of properties that hold secrets: pwd, encPwd, key, privKey, secret, token, sshData and their kin (reference a8),
 * in any case, also with what says how they are spelt (`privateKeyContents`, `passwordHash`). `pwdSet`, `pwdLifeTime`,
 * `ownerKey` and the like only speak of one, or of something else.
 */
const SECRET =
  /(?:pwd|passwd|password|passphrase|secret|token|cookie|psk|(?:auth|enc|encryption|priv|private|shared|access|api|crypt|cipher|license|session|otp|ssh|rsa|md5|hmac|secret)_?key)(?:contents?|hash|value|text|data|enc|pem|base64|\d)?$|^key$|^sshdata$/i

/** Secrets whose property has an innocent name. */
const OF_CLASS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['aaaSshAuth', new Set(['data'])],
  ['aaaUserCert', new Set(['data'])],
  // SNMP before version 3: the name is the password. So is the security name of a trap's receiver.
  ['snmpCommunityP', new Set(['name'])],
  ['snmpCommSecP', new Set(['name'])],
  ['snmpTrapDest', new Set(['secName'])],
  ['snmpTrapFwdServerP', new Set(['secName'])],
  ['vnsCCredSecret', new Set(['value'])],
  // No classes: what a parameter or a tag is called says that its value is a secret.
  ['ofSecret', new Set(['value'])],
  ['tagOfSecret', new Set(['value'])],
])

/** Which of those classes an object is of, by the last part of its name: log records carry another class than their object. */
const CLASS_OF_NAME: ReadonlyMap<string, string> = new Map([
  ['sshauth', 'aaaSshAuth'],
  ['usercert', 'aaaUserCert'],
  ['community', 'snmpCommunityP'],
  ['commsec', 'snmpCommSecP'],
  ['trapdest', 'snmpTrapDest'],
  ['trapfwdserver', 'snmpTrapFwdServerP'],
  ['ccredsecret', 'vnsCCredSecret'],
  ['tagKey', 'tagTag'],
  ['annotationKey', 'tagAnnotation'],
])

/** Texts for people, in which a secret can be quoted. `changeSet` has a grammar of its own. */
const PROSE = ['descr', 'title', 'qual', 'configIssues', 'remoteErrMsg'] as const

/** Only a text that holds one of these can hold a secret's name. */
const SUSPECT = /pwd|pass|secret|token|cookie|psk|key|sshdata/i

/** `<name>=value`, `"<name>": "value"`, `<name> (Old: value`, wherever it stands in prose; to its end where it is quoted. */
const IN_PROSE =
  /\b([A-Za-z]*(?:pwd|passwd|password|passphrase|secret|token|cookie|psk|privkey|authkey|enckey|sshdata))(["']?\s*[:=]\s*|\s*\((?:Old|New):\s*)(?!\*{8})("[^"]*"?|'[^']*'?|[^\s,;)]+)/gi

/** Verdicts on names: a class has the same few for ever. */
const verdicts = new Map<string, boolean>()
const MOST_VERDICTS = 10_000

function isSecretName(name: string): boolean {
  const known = verdicts.get(name)
  if (known !== undefined) return known
  if (verdicts.size >= MOST_VERDICTS) verdicts.clear()
  const verdict = SECRET.test(name)
  verdicts.set(name, verdict)
  return verdict
}

/** True for a property whose value must never leave the process. On tags `key` is the tag's name. */
export function isSecret(cls: string, name: string): boolean {
  return judge(cls, OF_CLASS.get(cls), name)
}

function judge(cls: string, own: ReadonlySet<string> | undefined, name: string): boolean {
  if (isSecretName(name)) return !(name === 'key' && cls.startsWith('tag'))
  return own?.has(name) ?? false
}

/** The attributes without secret properties, and with secrets masked in the texts. The same object if there were none. */
export function redact(cls: string, attributes: Record<string, string>): Record<string, string> {
  let clean: Record<string, string> | undefined
  const own = OF_CLASS.get(cls)
  for (const name in attributes) {
    if (judge(cls, own, name)) {
      clean ??= { ...attributes }
      delete clean[name]
    }
  }
  const { changeSet, affected, dn, value } = attributes
  if (value !== undefined && [attributes['key'], attributes['name'], ownNameOf(dn ?? '')].some(isNameOfSecret)) {
    clean ??= { ...attributes }
    delete clean['value']
  }
  if (changeSet !== undefined && changeSet !== '') {
    const masked = maskChangeSet(changeSet, classOf(affected || ownerOf(dn ?? '')))
    if (masked !== changeSet) clean = { ...(clean ?? attributes), changeSet: masked }
  }
  for (const name of PROSE) {
    const text = attributes[name]
    if (text === undefined || text === '' || !SUSPECT.test(text)) continue
    const masked = maskProse(text)
    if (masked !== text) clean = { ...(clean ?? attributes), [name]: masked }
  }
  return clean ?? attributes
}

/** The text of a `changeSet` with the values of secret properties masked; the names stay. `cls`: whose properties they are. */
export function maskChangeSet(text: string, cls = ''): string {
  if (!OF_CLASS.has(cls) && !SUSPECT.test(text)) return text
  let masked = ''
  let done = 0
  for (const span of spansOf(text)) {
    if (!isSecret(cls, span.property)) continue
    for (const [from, to] of [span.old, span.new]) {
      if (to <= from) continue
      masked += text.slice(done, from) + MASK
      done = to
    }
  }
  return maskProse(masked + text.slice(done))
}

function maskProse(text: string): string {
  return text.replace(IN_PROSE, (_whole, name: string, sign: string) => `${name}${sign}${MASK}`)
}

/** The class of an object by the last part of its name, where that class has secrets of its own; else ''. */
function classOf(dn: string): string {
  const own = ownPartOf(dn)
  const cls = CLASS_OF_NAME.get(own.slice(0, Math.max(0, own.indexOf('-')))) ?? ''
  if (!isNameOfSecret(ownNameOf(dn))) return cls
  return cls.startsWith('tag') ? 'tagOfSecret' : cls || 'ofSecret'
}

/** What objects are called is no end of names: no verdict on them is kept. */
function isNameOfSecret(name: string | undefined): boolean {
  return name !== undefined && SUSPECT.test(name) && SECRET.test(name)
}

function ownPartOf(dn: string): string {
  const from = parentOf(dn).length
  return dn.slice(dn.charCodeAt(from) === 47 ? from + 1 : from)
}

/** `password` of `…/ParI-password` and of `…/annotationKey-[password]`; '' where there is none. */
function ownNameOf(dn: string): string {
  const own = ownPartOf(dn)
  const dash = own.indexOf('-')
  const name = dash === -1 ? '' : own.slice(dash + 1)
  return name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name
}
