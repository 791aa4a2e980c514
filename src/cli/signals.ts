/** TERM and INT as abort signals: the first asks for a graceful stop, the second forces it. HUP as one of them, or as a callback. */

export interface StopSignals {
  /** Aborts at the first TERM or INT. */
  readonly stop: AbortSignal
  /** Aborts at the second. */
  readonly force: AbortSignal
  /** Where HUP is `heard`: calls back for each from now on, and at once if one came before. */
  onHangup(callback: () => void): void
  /** Gives the signals back to the process. */
  forget(): void
}

/**
 * Listens until `forget`. A terminal that is closed sends HUP: it asks for a stop, since nobody is left to read, but where it
 * is `heard` it ends nothing.
 */
export function stopSignals(hangup: 'stops' | 'heard' = 'stops'): StopSignals {
  const stop = new AbortController()
  const force = new AbortController()
  const onStop = (): void => {
    if (stop.signal.aborted) force.abort()
    else stop.abort()
  }
  let hungUp = false
  let heard: (() => void) | undefined
  const onHangup = (): void => {
    if (hangup === 'stops') stop.abort()
    else if (heard === undefined) hungUp = true
    else heard()
  }
  process.on('SIGTERM', onStop)
  process.on('SIGINT', onStop)
  process.on('SIGHUP', onHangup)
  return {
    stop: stop.signal,
    force: force.signal,
    onHangup: callback => {
      heard = callback
      if (hungUp) callback()
      hungUp = false
    },
    forget: () => {
      process.off('SIGTERM', onStop)
      process.off('SIGINT', onStop)
      process.off('SIGHUP', onHangup)
    },
  }
}
