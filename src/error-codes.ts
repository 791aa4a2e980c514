/**
 * What each error code means to an operator: the table of docs/ERRORS.md, which `npm run generate` writes. A code of
 * `errors.ts` without a row here does not compile.
 */
import type { ErrorCode } from './errors.ts'

export interface ErrorMeaning {
  /** The kinds that are thrown with it, the usual one first. */
  readonly kinds: readonly ('Fatal' | 'Retryable' | 'Poison')[]
  /** Where several kinds, or none, are thrown with it: which one when. */
  readonly when?: string
  readonly meaning: string
  /** What the daemon does by itself. */
  readonly does: string
  /** What a person should do. Markdown, links from `docs/`. */
  readonly todo: string
}

export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorMeaning>> = {
  auth_refused: {
    kinds: ['Fatal'],
    meaning: 'The source says that the credentials are wrong, or refuses a token that it has just given.',
    does: "The source is down and not ready; a login is tried every 5 minutes at most. APIC sources with the same account share that: what one was refused the others don't send.",
    todo: 'Check user, login domain, `config_name` or organisation, then the secret itself. Write the right one into the file; no restart is needed.',
  },
  permission: {
    kinds: ['Fatal', 'Retryable'],
    when: 'Fatal for the source, Retryable for one feed',
    meaning: 'Logged in, but not allowed to ask this.',
    does: 'VCD, or RaaS when neither returns nor runs may be read: the source is down. Else the one feed is `disabled` and the others go on; APIC asks again every 5 minutes, RaaS every hour.',
    todo: 'Give the account a role that may read it (RaaS: the message names the right, and the built-in role that has it), or take the subscription (APIC), `jobs` or `audit` (RaaS) out of the config.',
  },
  config: {
    kinds: ['Fatal'],
    meaning:
      'The config is wrong, or something that it points to: a file that is missing, an address that is no such system, a rotating VCD token without `state_dir`.',
    does: 'At the start: exit code 78 with every problem. Later: a reload is refused; a source whose file is gone is down, tried every 5 minutes.',
    todo: 'Read the message; it names the key or the file. `opswire check -c FILE` tells the problems of the file.',
  },
  tls: {
    kinds: ['Fatal'],
    meaning: "The certificate is not trusted, is not the pinned one, or the CA file can't be read.",
    does: 'The source is down; nothing secret has been sent.',
    todo: 'Set `tls.ca_file` to the authority that signed it, or `tls.fingerprint_sha256`. If the certificate changed, find out why first.',
  },
  unreachable: {
    kinds: ['Retryable'],
    meaning:
      'No connection, a reset, no such host name; at the start: the port of `http.listen` is taken, or its address is not one of this machine.',
    does: 'Tries again; an APIC source takes the next controller. For `http.listen`: exit code 69; is another opswire running?',
    todo: 'Check address, DNS, routes, firewall.',
  },
  timeout: {
    kinds: ['Retryable'],
    meaning: 'No answer within `request_timeout`.',
    does: 'Tries again; RaaS makes its pages smaller after two in a row.',
    todo: 'If it stays: look at the load of the source, or raise `request_timeout`.',
  },
  throttled: {
    kinds: ['Retryable'],
    meaning:
      '429, a server error, or a web page in place of an answer: the source or the proxy in front is overloaded.',
    does: 'Waits as long as `Retry-After` says, at least the backoff, at most 5 minutes. An APIC source takes the next controller instead, if that is in no trouble.',
    todo: 'If it stays: longer intervals, fewer subscriptions, a smaller `max_concurrency`.',
  },
  protocol: {
    kinds: ['Retryable'],
    meaning:
      'An answer that the protocol does not allow here; for an APIC subscription or a RaaS method: the question was refused.',
    does: 'Tries again; one refused APIC subscription is `disabled` and asked again every 5 minutes. A RaaS method that failed inside the server three times, while others answered, is left alone for an hour.',
    todo: 'Read the message. A refused subscription: class name, options, release. Else report it, with the message.',
  },
  session_lost: {
    kinds: ['Retryable'],
    meaning: 'The token or session is over, or the session ended.',
    does: 'Logs in anew and asks for what was missed.',
    todo: 'Nothing, once. Often: somebody ends sessions, or two programs share one API token.',
  },
  subscription_lost: {
    kinds: ['Retryable'],
    meaning: 'One APIC subscription lapsed, was refused at its refresh, or is mute although records exist.',
    does: 'Makes that one anew and closes its hole; the session goes on.',
    todo: 'Nothing, once. Often: the controller is overloaded; ask for less.',
  },
  socket_lost: {
    kinds: ['Retryable'],
    meaning: 'The WebSocket closed, stopped to answer, or the controller no longer knows it.',
    does: 'Opens a new session and compares everything.',
    todo: 'Nothing, once. Often: look for a firewall or proxy that cuts idle or long connections.',
  },
  too_large: {
    kinds: ['Retryable'],
    meaning: "An answer above a ceiling, ours or the source's.",
    does: 'Reads it in pages or parts. A RaaS return that is too large even alone is told without its body; pages stay smaller for a while.',
    todo: 'If a source stays down with it: narrow the query (`target_subtree_class`, a class in place of a subtree). A feed by tag that is `disabled` with it: more objects carry the tag than are followed (500); subscribe to their class, or to what they stand below.',
  },
  store: {
    kinds: ['Fatal', 'Retryable'],
    when: 'Fatal at the start, else Retryable',
    meaning:
      "The local store can't be opened, belongs to another program or a later version, is in use, or the disk refuses a write. Of a source: a file that it needs (a secret, a certificate, the lock of a VCD login) can't be opened now, for the machine is short of room, memory or open files.",
    does: 'At the start: exit code 69, which names the holder of the lock. Later: nothing is read on until a write works again; a damaged file is moved aside and each source publishes a gap `state_lost`; files that are removed or replaced while in use are made again from what is open. A `state_dir` that another process took meanwhile: exit code 69.',
    todo: 'Free space, check the disk and the owner of `state_dir`; stop the other opswire.',
  },
  sink: {
    kinds: ['Retryable', 'Fatal'],
    when: 'Retryable; Fatal for a closed standard output',
    meaning:
      "NATS is away or refuses, the stream is missing or can't be used, or the reader of standard output went away.",
    does: 'Events wait in the store and go out later, in order per object; `/-/ready` fails and says why. A closed standard output never comes back: the daemon stops with exit code 69.',
    todo: "Read the message: it names the server's words, or the exact difference of the stream.",
  },
  poison: {
    kinds: ['Poison'],
    meaning: "One message that can't be understood.",
    does: 'Keeps it whole in the store as a dead letter, counts it (`opswire_dead_letters_total`), publishes a notice on `<prefix>._dead.<source>`.',
    todo: "Report it with the message's reason. `opswire replay --list` shows them; after an upgrade `opswire replay --dead-letters` reads them once more ([OPERATIONS.md](OPERATIONS.md)).",
  },
  bug: {
    kinds: ['Fatal'],
    when: 'none: whatever nobody classified',
    meaning: 'Something that should not happen.',
    does: 'A source is tried again like any other. A command ends with exit code 70 and prints the stack.',
    todo: 'Report it, with the log.',
  },
}
