/** aaaSessionLR: logins, logouts and refreshes. */
import type { EventData } from '../../event.ts'
import { actorOf } from './actor.ts'
import { oneLine, sentence } from './words.ts'

type Attributes = Readonly<Record<string, string>>

const FAILED = /fail|refus|denied|reject|incorrect|invalid|unsuccess|not success|unauthor|\block(?:ed|out)\b/i
const SUCCEEDED = /succe/i

/** Completes what is told of a session: only `descr` says how it went (reference d1), in words that differ between releases. */
export function tellSession(data: EventData, attributes: Attributes): void {
  const { descr = '', trig = '' } = attributes
  const words = `${trig} ${descr}`
  data.outcome = FAILED.test(descr) ? 'failure' : SUCCEEDED.test(descr) ? 'success' : 'unknown'
  const action = /log[- ]?out|logged[- ]out/i.test(words)
    ? 'logout'
    : /refresh/i.test(words)
      ? 'refresh'
      : /login|logged[- ]in|client-type|authenticat/i.test(words)
        ? 'login'
        : undefined
  if (action !== undefined) data.action = action
  // A name that the fabric does not know leaves `user` empty: the text quotes it.
  data.actor ??= actorOf(/\[user ([^\]]+)\]/i.exec(descr)?.[1])
  if (data.actor === undefined) delete data.actor
  const address = addressIn(descr) ?? addressOf(data)
  if (address !== undefined) data.actor = { ...data.actor, address }
  const what = action === 'logout' ? 'Logout' : action === 'refresh' ? 'Session refresh' : 'Login'
  const whom = data.actor?.user ?? 'an unknown user'
  const where = address === undefined ? '' : ` from ${address}`
  // Why it failed stands in the text, but not in its usual form.
  const why = /client-type/i.test(descr) ? undefined : sentence(descr)
  const ended = data.outcome === 'success' ? 'succeeded' : `failed${why === undefined ? '' : `: ${why}`}`
  data.summary = oneLine(
    action === undefined || data.outcome === 'unknown'
      ? `Session of ${whom}: ${sentence(descr) ?? 'no description'}`
      : `${what} of ${whom}${where} ${ended}`,
  )
}

/** `From-198.51.100.20-client-type-REST`, `from [2001:db8::1]`. */
function addressIn(descr: string): string | undefined {
  return asAddress(/\bfrom[- ]\[?([0-9a-f:.]*[0-9a-f])/i.exec(descr)?.[1])
}

/** Releases that say it in `changeSet`. */
function addressOf({ changes = [] }: EventData): string | undefined {
  const named = changes.find(({ property }) =>
    /^(?:client|peer|remote|source|src)?_?(?:ip|ipAddr|addr|address)$/i.test(property),
  )
  return asAddress(named?.new ?? undefined)
}

function asAddress(text: string | undefined): string | undefined {
  return text !== undefined && /^\d{1,3}(?:\.\d{1,3}){3}$|^[0-9a-f]{0,4}(?::[0-9a-f.]*){2,}$/i.test(text)
    ? text
    : undefined
}
