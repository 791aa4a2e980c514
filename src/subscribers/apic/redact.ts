/** Secrets in what an APIC shows. The guide's own example notification carries `encPwd`. */
import { spansOf } from './change-set.ts'

const MASK = '********'

/**
 * Names of properties that hold secrets: pwd, encPwd, key, privKey, secret, token, sshData and their kin (reference a8).
 * `pwdSet`, `pwdLifeTime` and the like only speak of one.
 */
const SECRET =
  /(?:pwd|passwd|password|passphrase|secret|token|cookie|psk|(?:auth|enc|priv|private|shared|ssh|md5)key)$|^key$|^sshdata$/i

/** Only a text that holds one of these can hold a secret's name. */
const SUSPECT = /pwd|pass|secret|token|cookie|psk|key|sshdata/i

/** `<name>=value`, `<name>: value`, `<name> (Old: value`, wherever it stands in prose. */
const IN_PROSE =
  /\b([A-Za-z]*(?:pwd|passwd|password|passphrase|secret|token|cookie|psk|privkey|authkey|enckey|sshdata))(\s*[:=]\s*|\s+\((?:Old|New):\s*)(?!\*{8})([^\s,;)]+)/gi

/** True for a property whose value must never leave the process. On tags `key` is the tag's name. */
export function isSecret(cls: string, name: string): boolean {
  return SECRET.test(name) && !(name === 'key' && cls.startsWith('tag'))
}

/** The attributes without secret properties, and with secrets masked in the texts. The same object if there were none. */
export function redact(cls: string, attributes: Record<string, string>): Record<string, string> {
  let clean: Record<string, string> | undefined
  for (const name in attributes) {
    if (isSecret(cls, name)) {
      clean ??= { ...attributes }
      delete clean[name]
    }
  }
  const { changeSet, descr } = attributes
  if (changeSet !== undefined && SUSPECT.test(changeSet)) {
    const masked = maskChangeSet(changeSet)
    if (masked !== changeSet) clean = { ...(clean ?? attributes), changeSet: masked }
  }
  if (descr !== undefined && SUSPECT.test(descr)) {
    const masked = maskProse(descr)
    if (masked !== descr) clean = { ...(clean ?? attributes), descr: masked }
  }
  return clean ?? attributes
}

/** The text of a `changeSet` with the values of secret properties masked; the names stay. */
export function maskChangeSet(text: string): string {
  let masked = ''
  let done = 0
  for (const span of spansOf(text)) {
    if (!isSecret('', span.property)) continue
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
