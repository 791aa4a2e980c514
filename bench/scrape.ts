/** Numbers off a metrics page. */

/** The values of a metric whose labels hold all of these, e.g. `lease="subscription"`. */
export function valuesOf(page: string, name: string, ...labels: readonly string[]): number[] {
  return page
    .split('\n')
    .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter(line => labels.every(label => line.includes(label)))
    .map(line => Number(line.slice(line.lastIndexOf(' ') + 1)))
}

/** Their sum; 0 without any. */
export function sumOf(page: string, name: string, ...labels: readonly string[]): number {
  return valuesOf(page, name, ...labels).reduce((sum, value) => sum + value, 0)
}
