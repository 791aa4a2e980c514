/** docs/ERRORS.md: every error code, from `src/error-codes.ts`, and every exit code. */
import { EXIT } from '../../src/cli/io.ts'
import { ERROR_CODES } from '../../src/error-codes.ts'
import { madeFrom, table } from './table.ts'

const HEAD = `# Errors

Every failure that opswire classifies has one of the codes below (\`src/errors.ts\`). They are stable. For a source they stand in
the log (\`code\`), in \`/status\` (\`lastError\`) and in \`opswire_reconnects_total{reason}\`. There are three kinds:

- **Fatal**: this can't work until somebody changes something. A source is tried again after 5 minutes, at each reload, after a
  restart, and within seconds when the file of one of its secrets, or its tls.ca_file, changes. The daemon does not exit for it: restarts would lock accounts.
- **Retryable**: this will pass. Tried again at once after a session that had worked, then with growing, random waits, at most 60 s
  (30 s for the sink), or after the time that the other side named, 5 minutes at most.
- **Poison**: one message that will never be understood. It is kept and everything else goes on.

A source that is down with \`auth_refused\`, \`permission\`, \`config\`, \`tls\` or \`bug\` is an error in the log; any other is a warning.`

const EXITS: Readonly<Record<keyof typeof EXIT, { readonly meaning: string; readonly notes: string }>> = {
  ok: {
    meaning: 'clean',
    notes:
      '`run` after TERM or INT; `check` without problems, warnings or not; `demo` when every source delivered; `query` answered in full; `replay` when all that it found is acknowledged',
  },
  usage: {
    meaning: 'wrong usage',
    notes: 'the message says what would be right; for `query` also when the source finds the question itself wrong',
  },
  unavailable: {
    meaning: 'unavailable',
    notes:
      'store in use or not writable, port taken or address not there, reader of standard output gone, `status` without a daemon, `tap` without NATS or the stream, `check --connect` with a failed step, `demo` in which a source delivered nothing or the daemon died; `query` without an answer, or with a part of it (throttled, unreachable, interrupted); `replay` with something not read or not delivered',
  },
  bug: { meaning: 'a bug', notes: 'with a stack; report it' },
  forced: {
    meaning: 'forced stop',
    notes: 'a second TERM or INT during the graceful stop; `replay` that was cancelled',
  },
  refused: {
    meaning: 'credentials refused',
    notes:
      '`check --connect`, for any login; `query`, for the login or for the right to ask; `replay`, for a source or the daemon that refused. `run` never ends for it',
  },
  config: {
    meaning: 'bad or missing config',
    notes: 'the systemd unit does not restart after it; `replay` also where the config leaves it nothing to work with',
  },
}

/** The page. Each code is an anchor: `ERRORS.md#auth_refused`. */
export function errorsPage(): string {
  const rows = Object.entries(ERROR_CODES).map(([code, { kinds, when, meaning, does, todo }]) => [
    `<a id="${code}"></a>\`${code}\``,
    when ?? kinds.join(', '),
    meaning,
    does,
    todo,
  ])
  const exits = Object.entries(EXITS).map(([name, { meaning, notes }]) => [
    String(EXIT[name as keyof typeof EXIT]),
    meaning,
    notes,
  ])
  return `${[
    madeFrom('`src/error-codes.ts` and `scripts/reference/errors.ts`'),
    HEAD,
    '## Codes',
    table(['code', 'kind', 'meaning', 'what the daemon does', 'what you should do'], rows),
    '## Exit codes',
    table(['code', 'meaning', 'notes'], exits),
  ].join('\n\n')}\n`
}
