/** How the simulated APIC says no. */

/**
 * A refused call. `status` is the HTTP status, `code` APIC's own number (a string on the wire, and not the HTTP status
 * except for the 4xx of authentication).
 */
export class ApicError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, text: string) {
    super(text)
    this.status = status
    this.code = code
  }
}

/** A class that this release does not know. */
export function unknownClass(name: string): ApicError {
  return new ApicError(400, '12', `unknown managed object class ${name}`)
}

/** A filter or an option that can't be read. */
export function badQuery(text: string): ApicError {
  return new ApicError(400, '107', text)
}

/** What nginx answers in front of the API when it throttles or has lost its backend: a page, not JSON. */
export function htmlPage(status: number, title: string): string {
  const line = `${status} ${title}`
  return (
    `<html>\r\n<head><title>${line}</title></head>\r\n<body>\r\n<center><h1>${line}</h1></center>\r\n` +
    `<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`
  )
}
