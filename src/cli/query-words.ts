/** The words of `opswire query`: its flags, which systems they are for, and examples. */
import type { SourceConfig } from '../config/sources.ts'
import type { CommandSpec, Flag } from './commands.ts'

type Kind = SourceConfig['kind']

const APIC = 'APIC: the query options of its guide'
const RAAS = 'RaaS (VMware Automation Config)'
const VCD = 'VMware Cloud Director'

const GENERAL: readonly Flag[] = [
  { name: 'config', short: 'c', value: 'FILE', says: 'the config file (YAML or JSON)' },
  { name: 'json', says: 'JSON lines: one object a line as the source gives it, without secrets' },
  { name: 'columns', value: 'A,B,…', says: 'the columns of the table' },
  { name: 'count', says: 'print only how many there are' },
  { name: 'limit', value: 'N', says: 'stop after so many rows' },
  { name: 'page', value: 'N', says: 'APIC and RaaS: this page alone, counted from 0' },
  { name: 'page-size', value: 'N', says: 'APIC and RaaS: rows of a page; APIC also without --page' },
]
const PAGING = ['page', 'page-size']

const FILTER: Flag = { name: 'filter', value: 'EXPR', says: '' }

/** In the guide's order and spelling. */
const APIC_FLAGS: readonly Flag[] = [
  { name: 'query-target', value: 'SCOPE', says: 'self, children or subtree' },
  { name: 'target-subtree-class', value: 'CLS,…', says: 'only these classes of what query-target reaches' },
  { name: 'query-target-filter', value: 'EXPR', says: `such as 'eq(fvTenant.name,"blue")'; short: --filter` },
  { name: 'rsp-subtree', value: 'SCOPE', says: 'what is sent along below: no, children or full' },
  { name: 'rsp-subtree-class', value: 'CLS,…', says: 'only these classes of what is sent along' },
  { name: 'rsp-subtree-filter', value: 'EXPR', says: 'a filter on what is sent along' },
  { name: 'rsp-subtree-include', value: 'WORD,…', says: 'faults, health, …; count, no-scoped, required, subtree' },
  { name: 'rsp-prop-include', value: 'WHICH', says: 'all, naming-only or config-only' },
  { name: 'order-by', value: 'CLS.PROP|asc,…', says: 'how the rows are sorted; |desc for downwards' },
  { name: 'time-range', value: 'RANGE', says: 'of log classes: 24h, 1week, 1month, 3month, or two times with a bar' },
  { name: 'xml', says: 'ask for XML, whatever the format of the source is' },
]

const RAAS_FLAGS: readonly Flag[] = [
  { name: 'kwarg', value: 'NAME=VALUE', many: true, says: 'one argument; the value is JSON, or else text' },
  { name: 'kwargs', value: 'JSON', says: 'all arguments as one JSON object' },
]

const VCD_FLAGS: readonly Flag[] = [
  { ...FILTER, says: `events: FIQL, such as 'user.name==alice'` },
  { name: 'since', value: 'TIME', says: 'events: from then on; a time with its zone, or 2h for two hours ago' },
  { name: 'until', value: 'TIME', says: 'events: before that' },
  { name: 'login-as', value: 'USER', says: 'tokens: whose password is asked for; needs the right to see tokens' },
  { name: 'password-file', value: 'FILE', says: 'tokens: where it is, in place of a prompt or standard input' },
]

const under = (flags: readonly Flag[], heading: string): Flag[] => flags.map(flag => ({ ...flag, under: heading }))

/** Flags that not every kind of source understands. */
const ONLY: Readonly<Record<Kind, readonly string[]>> = {
  apic: [...APIC_FLAGS.map(flag => flag.name), FILTER.name, ...PAGING],
  raas: [...RAAS_FLAGS.map(flag => flag.name), ...PAGING],
  vcd: VCD_FLAGS.map(flag => flag.name),
}

/** The kinds of source that understand a flag; none: all do. */
export function kindsOf(flag: string): readonly Kind[] {
  return (['apic', 'raas', 'vcd'] as const).filter(kind => ONLY[kind].includes(flag))
}

const NO_SUBSCRIPTION = 'query asks once and makes no subscription; those stand in the config'
const NO_TOKEN = "the session's own is sent; set challenge_token on the source"
const NO_PASSWORD =
  'everybody could read it among the processes; the password is asked for, or say --password-file FILE'

export const QUERY = {
  summary: "ask one of the sources something, with that source's own login; reads only",
  operands: '-c FILE SOURCE WHAT',
  flags: [...GENERAL, ...under(APIC_FLAGS, APIC), ...under(RAAS_FLAGS, RAAS), ...under(VCD_FLAGS, VCD)],
  notFlags: {
    subscription: NO_SUBSCRIPTION,
    'refresh-timeout': NO_SUBSCRIPTION,
    'url-token': NO_TOKEN,
    challenge: NO_TOKEN,
    'gui-token-request': NO_TOKEN,
    password: NO_PASSWORD,
  },
  notes: [
    'SOURCE is the name of a source in the config. WHAT is',
    '  apic   class CLASS | class topology/pod-P/node-N/CLASS | mo DN | tag NAME | tag mo/DN | domains,',
    "         or the guide's own line: 'class/fvTenant.json?rsp-subtree-include=health,required', with or without https://…/api/",
    '  raas   METHOD, such as job.get_jobs; only methods that read',
    '  vcd    events | orgs | versions | tokens',
    '',
    'One login, one session, ended afterwards; the answer is read page by page. Rows go to stdout, everything else to stderr.',
    'Exit codes: 0 answered, 64 the question is wrong, 69 no answer or only a part of it, 77 refused, 78 the config is wrong.',
  ],
  examples: [
    ['opswire query -c opswire.yaml fabric-a class faultInst --limit 20', 'faults, as a table'],
    ['opswire query -c opswire.yaml fabric-a class fvTenant --json', 'every tenant, an object a line'],
    ['opswire query -c opswire.yaml fabric-a mo uni/tn-prod --query-target children', 'what is right below a DN'],
    ['opswire query -c opswire.yaml fabric-a tag production', 'the objects that carry a tag'],
    [
      `opswire query -c opswire.yaml fabric-a class faultInst --filter 'eq(faultInst.severity,"critical")' --count`,
      'how many of them are critical',
    ],
    [
      `opswire query -c opswire.yaml fabric-a class fvTenant --rsp-subtree-include health,required --rsp-subtree-filter 'lt(healthInst.cur,"50")'`,
      'tenants in bad health',
    ],
    ['opswire query -c opswire.yaml salt job.get_jobs', 'job definitions'],
    ['opswire query -c opswire.yaml salt cmd.get_cmds --kwarg fun=state.apply --limit 10', 'the last ten runs of it'],
    ['opswire query -c opswire.yaml cloud events --since 1h', 'what was done in the last hour, and by which token'],
    ['opswire query -c opswire.yaml cloud tokens --login-as admin > tokens.yaml', 'for token_inventory_file'],
  ],
} satisfies CommandSpec
