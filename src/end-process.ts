/** The last thing that a process does. */
import { nativeCalls } from './native-calls.ts'

/** V8 writes its profiles when Node ends by itself. */
const isProfiled = /--(?:cpu|heap)-prof/.test([...process.execArgv, process.env['NODE_OPTIONS']].join(' '))

/**
 * Ends the process with `code`, whatever hangs; exit listeners are called. `process.exit` waits for the threads of Node's pool
 * and for workers: for a read of a file on a dead mount, for a name that DNS does not answer, for ever.
 */
export function endProcess(code: number): never {
  if (!isProfiled) {
    process.emit('exit', code)
    leave(code)
  }
  process.exit(code)
}

/** By the system's own `_exit`; where that can't be called, by SIGKILL: the code is lost, but the process ends. */
function leave(code: number): void {
  try {
    // Without a name: what is linked into this process anyway, however its libc is called.
    nativeCalls()
      .dlopen(null, { _exit: { arguments: ['i32'], return: 'void' } })
      .functions._exit(code)
  } catch {
    process.kill(process.pid, 'SIGKILL')
  }
}
