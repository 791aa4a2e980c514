/** What an account needs to be allowed, in the words of the vendor's role editor. */
import type { ReadingMethod } from './client.ts'

/** Which permission a refused method needs and which built-in role has it. Roles are cut to minions and jobs as well. */
export function neededFor(method: ReadingMethod): string {
  if (method === 'audit.get_audit') return 'it needs Read on "Audit Log", as the built-in role Superuser has'
  if (method.startsWith('minions.')) return 'it needs Read on minions, as the built-in role User has'
  if (method === 'job.get_jobs') return 'it needs Read on "Jobs", as the built-in role User has'
  if (method.startsWith('cmd.') || method.startsWith('ret.')) {
    return 'it needs Read on "Commands" and on the jobs and minions in question, as the built-in role User has'
  }
  return 'give the account a role that may read it, such as the built-in role User'
}
