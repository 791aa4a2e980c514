/** How the reading of a session ended. */
import type { Session } from './contract.ts'

/** Resolves when the session ended, however it did. */
export function ended(reading: Promise<void>): Promise<void> {
  return reading.catch(() => undefined)
}

/** What a session ended with; undefined when it ended well. */
export async function errorOf(reading: Promise<void>): Promise<unknown> {
  try {
    await reading
  } catch (error) {
    return error
  }
}

/** Reads a session to its end for nobody. Never rejects. */
export async function drop(session: Session): Promise<void> {
  try {
    for await (const _ of session);
  } catch {
    // It ends as it likes: nobody reads it.
  }
}
