/** A process of its own that uses a store: `node child.ts append|append-threaded|hold|open DIR`. */
import { sleep, systemClock } from '../../src/scheduler/clock.ts'
import { StoreLocked } from '../../src/store/lock.ts'
import { openStore } from '../../src/store/open.ts'
import { append, range } from './numbers.ts'

const [mode, stateDir] = process.argv.slice(2)

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** `open-unprivileged`: root may write everywhere, so it becomes nobody first. */
if (mode === 'open-unprivileged' && process.getuid?.() === 0) {
  process.setgid?.(65_534)
  process.setuid?.(65_534)
}

try {
  const store = await openStore({
    stateDir,
    maxBytes: 256 * 1024 * 1024,
    retainAckedMs: 180_000,
    maxDeadLetters: 100,
    clock: systemClock,
    thread: mode === 'append-threaded',
    report: () => {},
  })
  if (mode === 'hold') {
    say('open')
    process.stdin.resume()
  } else if (mode?.startsWith('append') === true) {
    while (mode === 'append-threaded' && store.thread === undefined) await sleep(systemClock, 1)
    // Two sources at once, so that one commit holds several appends; each line names what is durable now. Like a real
    // source, each reads an overlap again when it comes back.
    await Promise.all(
      [0, 1].map(async lane => {
        const source = `lane-${lane}`
        for (let first = Math.max(1, Number(store.cursor(source, 'f')?.['last'] ?? 0) - 6); ; first += 7) {
          const events = range(lane * 1_000_000 + first, 7)
          await store.append(append(events, { source, feed: 'f', cursor: { last: first + 6 } }))
          say(`${lane} ${first + 6}`)
        }
      }),
    )
  } else {
    say(JSON.stringify({ opened: true }))
    await store.close()
  }
} catch (error) {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  say(JSON.stringify({ name, message, pid: error instanceof StoreLocked ? error.pid : undefined }))
}
