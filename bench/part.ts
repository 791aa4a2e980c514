/**
 * The parts of the daemon, each beside its bare loop, in a process of their own.
 *
 * Arguments: fabric URL, certificate file, NATS URL, events a turn, objects, rounds. NODE_EXTRA_CA_CERTS must name the
 * certificate. Says `subscribed` whenever the source is to push so many event records, and `parts` at the end.
 */
import { type Contest, contend } from './contest.ts'
import { tell } from './messages.ts'
import { pureContests } from './part-pure.ts'
import { socketContest } from './part-socket.ts'
import { publishContest, storeContests } from './part-store.ts'

const [fabric = '', certificateFile = '', nats = '', ...numbers] = process.argv.slice(2)
const [events = 0, objects = 0, rounds = 0] = numbers.map(Number)

process.on('disconnect', () => process.exit(0))
const contests: (() => Contest[])[] = [
  () => [socketContest(fabric, certificateFile, events)],
  () => pureContests(events, objects),
  () => storeContests(events, objects),
  () => [publishContest(nats, events, objects)],
]
const rows = []
// What one needs is made when its turn comes, and gone after it.
for (const make of contests) for (const contest of make()) rows.push(await contend(contest, rounds))
tell({ say: 'parts', rows })
