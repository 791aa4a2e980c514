/** The last thing that a process does. */
import { nativeCalls } from './native-calls.ts'

/** V8 writes its profiles when Node ends by itself. */
const isProfiled = /--(?:cpu|heap)-prof/.test([...process.execArgv, process.env['NODE_OPTIONS']].join(' '))

/**
 * Ends the process with `code`, whatever hangs; exit listeners are called. `process.exit` waits for the threads of Node's pool
 * and for workers: for a read of a file on a dead mount, for a name that DNS does not answer, for ever. Where the system's
 * own `_exit` can't be called (a Node that was built without node:ffi), a forced end is one by SIGKILL, for which the code
 * is lost; any other waits rather than lose the code: a service manager goes by it.
 */
export function endProcess(code: number, how: 'orderly' | 'forced' = 'orderly'): never {
  if (isProfiled) process.exit(code)
  const leave = systemExit()
  if (leave === undefined && how === 'orderly') process.exit(code)
  process.emit('exit', code)
  leave?.(code)
  process.kill(process.pid, 'SIGKILL')
  process.exit(code)
}

function systemExit(): ((code: number) => void) | undefined {
  try {
    // Without a name: what is linked into this process anyway, however its libc is called.
    const opened = nativeCalls().dlopen(null, { _exit: { arguments: ['i32'], return: 'void' } })
    return code => {
      opened.functions._exit(code)
    }
  } catch {
    return undefined
  }
}
