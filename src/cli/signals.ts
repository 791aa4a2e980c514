/** TERM and INT as abort signals: the first asks for a graceful stop, the second forces it. */

export interface StopSignals {
  /** Aborts at the first TERM or INT. */
  readonly stop: AbortSignal
  /** Aborts at the second. */
  readonly force: AbortSignal
  /** Gives the signals back to the process. */
  forget(): void
}

/** Listens until `forget`. HUP is ignored, so that a closed terminal does not end the daemon. */
export function stopSignals(): StopSignals {
  const stop = new AbortController()
  const force = new AbortController()
  const onStop = (): void => {
    if (stop.signal.aborted) force.abort()
    else stop.abort()
  }
  const onHangup = (): void => undefined
  process.on('SIGTERM', onStop)
  process.on('SIGINT', onStop)
  process.on('SIGHUP', onHangup)
  return {
    stop: stop.signal,
    force: force.signal,
    forget: () => {
      process.off('SIGTERM', onStop)
      process.off('SIGINT', onStop)
      process.off('SIGHUP', onHangup)
    },
  }
}

/** Resolves when one of the signals aborts. */
export function aborted(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise(resolve => {
    for (const signal of signals) {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    }
  })
}
