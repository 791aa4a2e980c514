/** `opswire run`: the daemon in the foreground, until TERM or INT; HUP reads its config again. */
import { type App, startApp } from '../app.ts'
import { sayFinding } from '../config/problems.ts'
import { aborted, type Cancel, systemClock } from '../scheduler/clock.ts'
import { giveBackWhenCalm } from '../spare-memory.ts'
import { growUnderLoad } from '../v8-heap.ts'
import { readArguments } from './arguments.ts'
import { type CliIo, EXIT } from './io.ts'
import { load } from './load.ts'
import { stopSignals } from './signals.ts'
import { packageVersion } from './version.ts'

/** Resolves with 0 after a graceful stop, 75 after a forced one, 69 when the reader of standard output has gone or another process has the `state_dir`. Throws what kept it from starting. */
export async function run(args: string[], io: CliIo): Promise<number> {
  const given = readArguments('run', args)
  const signals = stopSignals('heard')
  let spare: Cancel = () => undefined
  try {
    const forced = aborted(signals.force).then(() => undefined)
    // A start can hang too, on a file that lies on a dead mount.
    const app = await Promise.race([start(given.needed('config'), io, signals.force), forced])
    if (app === undefined) return EXIT.forced
    growUnderLoad()
    spare = giveBackWhenCalm(systemClock)
    // One that came while it started counts.
    signals.onHangup(() => void app.reload())
    const gone = await Promise.race([aborted(signals.stop).then(() => undefined), app.gone])
    await Promise.race([app.stop(), aborted(signals.force)])
    if (!signals.force.aborted) return gone === undefined ? EXIT.ok : EXIT.unavailable
    app.ops.report({ type: 'daemon', state: 'forced' })
    return EXIT.forced
  } finally {
    spare()
    signals.forget()
  }
}

async function start(file: string, io: CliIo, force: AbortSignal): Promise<App> {
  const loaded = await load(file, io.env)
  const app = await startApp({
    load: () => load(file, io.env),
    config: loaded.config,
    origin: { path: loaded.file, hash: loaded.hash },
    version: packageVersion(),
    clock: systemClock,
    force,
  })
  for (const warning of loaded.warnings) app.ops.log.write('warn', sayFinding(loaded.file, warning))
  return app
}
