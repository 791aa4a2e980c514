/** What `opswire replay` takes, and its help. */
import type { CommandSpec } from './commands.ts'

export const REPLAY = {
  summary: 'send what the stream lacks: dead letters once more, or what the sources still know of the past',
  flags: [
    { name: 'config', short: 'c', value: 'FILE', says: 'the config file (YAML or JSON)' },
    { name: 'dead-letters', says: 'what could not be understood or delivered, once more with this version' },
    { name: 'since', value: 'TIME', says: 'ask the sources again from there: 2h (ago), or 2026-02-03T04:05:06Z' },
    { name: 'list', says: 'show the dead letters, and do nothing: key, time, source, size, reason' },
    { name: 'source', value: 'NAME', says: 'only of this source' },
    { name: 'limit', value: 'N', says: 'look at N dead letters at most, the oldest first' },
    { name: 'json', says: 'print JSON, for scripts' },
  ],
  notes: [
    'The running daemon does it, with the sessions that it has (found by http.listen; token_file and tls as there). When nothing',
    'listens there, it is done here, with the lock on state_dir and, for --since, a login at each source. Events have the ids that',
    'they always have, and the origin backfill; nothing comes twice. --since asks for logs of an APIC, returns, runs and audit of',
    'RaaS, and the audit trail of VCD; it says what can not be asked again. Ctrl-C cancels. Exit 0 only when all of it is delivered.',
  ],
  examples: [
    ['opswire replay -c opswire.yaml --list', 'which dead letters there are'],
    ['opswire replay -c opswire.yaml --dead-letters', 'after an upgrade, or when max_payload was raised'],
    ['opswire replay -c opswire.yaml --since 2d', 'the stream was lost, or restored from a backup'],
    ['opswire replay -c opswire.yaml --since 6h --source cloud --json', 'of one source, for a script'],
  ],
} satisfies CommandSpec
