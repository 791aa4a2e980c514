/** Who did it, in the spellings that an APIC's logs have for a user. */
import type { Actor } from '../../event.ts'

/** The fabric itself, as its logs call it (reference d2). */
const SYSTEM = 'internal'

/** `apic:DOMAIN\alice`, `apic#DOMAIN\alice`: as one logs in through a login domain; the domain may be left empty. */
const OF_DOMAIN = /^apic[:#]([^\\]*)\\+(.+)$/
/** A user's own name, with the certificate that a request was signed with: such a request has no session. */
const OF_NAME = /^uni\/userext\/(?:remote|app)?user-([^/]+)(?:\/usercert-(.+))?$/
/** What an older release writes before the name of a user whom only a remote server knows. */
const REMOTE = /^remoteuser-(.+)$/

/** The actor behind `user`; undefined when a record names none. */
export function actorOf(user: string | undefined): Actor | undefined {
  if (user === undefined || user === '') return undefined
  const domain = OF_DOMAIN.exec(user)
  if (domain !== null) {
    const [, org = '', name = user] = domain
    return org === '' ? { user: name } : { user: name, org }
  }
  const signed = OF_NAME.exec(user)
  if (signed !== null) {
    const [, name = user, certificate] = signed
    return certificate === undefined ? { user: name } : { user: name, via: 'token', tokenName: certificate }
  }
  return { user: REMOTE.exec(user)?.[1] ?? user }
}

/** As the subject of a sentence. */
export function nameOf(actor: Actor | undefined): string {
  const user = actor?.user
  if (user === undefined) return 'Somebody'
  return user === SYSTEM ? 'The system' : user
}
