/** The forms of the simulated cell's answers: XML under /api, JSON under /cloudapi, each with its own errors. */
import { XMLParser } from 'fast-xml-parser'
import type { ApiVersion, Org, Vm } from './world.ts'

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

export function json(status: number, value: unknown, headers: Reply['headers'] = {}): Reply {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

/** cloudapi's own error form; the request id stands in brackets before the message. */
export function jsonError(status: number, minorErrorCode: string, message: string, requestId: string): Reply {
  return json(status, { minorErrorCode, message: `[ ${requestId} ] ${message}`, stackTrace: null })
}

/** The error form of /api: XML even to clients that asked for JSON. */
export function xmlError(status: number, minorErrorCode: string, message: string, requestId: string): Reply {
  const body =
    `${HEAD}<Error xmlns="http://www.vmware.com/vcloud/v1.5" message="[ ${requestId} ] ${escapeXml(message)}" ` +
    `majorErrorCode="${status}" minorErrorCode="${minorErrorCode}" stackTrace=""/>`
  return { status, headers: { 'Content-Type': 'application/vnd.vmware.vcloud.error+xml' }, body }
}

/** `GET /api/versions`, as a1 of the reference shows it. */
export function versionsXml(versions: readonly ApiVersion[], publicUrl: string): Reply {
  const entries = versions.map(({ version, deprecated = false, alpha = false }) => {
    if (alpha) return `<AlphaVersion deprecated="${deprecated}"><Version>${version}</Version></AlphaVersion>`
    return (
      `<VersionInfo deprecated="${deprecated}"><Version>${version}</Version>` +
      `<LoginUrl>${publicUrl}/cloudapi/1.0.0/sessions</LoginUrl>` +
      `<ProviderLoginUrl>${publicUrl}/cloudapi/1.0.0/sessions/provider</ProviderLoginUrl></VersionInfo>`
    )
  })
  const body = `${HEAD}<SupportedVersions xmlns="http://www.vmware.com/vcloud/versions">${entries.join('')}</SupportedVersions>`
  return { status: 200, headers: { 'Content-Type': 'text/xml' }, body }
}

/** `GET /api/org`, attribute for attribute as the vendor's guide prints it. */
export function orgListXml(orgs: readonly Org[], version: string, publicUrl: string): Reply {
  const rows = orgs.map(
    org =>
      `    <Org href="${publicUrl}/api/org/${org.id}" type="application/vnd.vmware.vcloud.org+xml" name="${escapeXml(org.name)}"/>`,
  )
  const body = `${HEAD}<OrgList
    xmlns="http://www.vmware.com/vcloud/v1.5"
    xmlns:vmext="http://www.vmware.com/vcloud/extension/v1.5"
    xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
    xmlns:common="http://schemas.dmtf.org/wbem/wscim/1/common"
    xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
    xmlns:vmw="http://www.vmware.com/schema/ovf"
    xmlns:ovfenv="http://schemas.dmtf.org/ovf/environment/1"
    xmlns:ns9="http://www.vmware.com/vcloud/versions" href="${publicUrl}/api/org/" type="application/vnd.vmware.vcloud.orgList+xml">
${rows.join('\n')}
</OrgList>
`
  return xml(200, 'application/vnd.vmware.vcloud.orglist+xml', version, body)
}

/** `GET /api/query?type=vm&format=records`. */
export function vmRecordsXml(vms: readonly Vm[], version: string, publicUrl: string): Reply {
  const rows = vms.map(
    vm =>
      `<VMRecord href="${publicUrl}/api/vApp/vm-${vm.id}" name="${escapeXml(vm.name)}" status="${vm.status}" ` +
      `org="${publicUrl}/api/org/${vm.org.id}"/>`,
  )
  const body =
    `${HEAD}<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" name="vm" page="1" pageSize="128" ` +
    `total="${vms.length}">${rows.join('')}</QueryResultRecords>`
  return xml(200, 'application/vnd.vmware.vcloud.query.records+xml', version, body)
}

/** A task that has been taken on: what acting calls under /api answer, with 202. */
export function taskXml(taskId: string, operation: string, version: string, publicUrl: string): Reply {
  const href = `${publicUrl}/api/task/${taskId}`
  const body =
    `${HEAD}<Task xmlns="http://www.vmware.com/vcloud/v1.5" id="urn:vcloud:task:${taskId}" href="${href}" ` +
    `status="running" operationName="${operation}"/>`
  return xml(202, 'application/vnd.vmware.vcloud.task+xml', version, body)
}

function xml(status: number, type: string, version: string, body: string): Reply {
  return {
    status,
    headers: { 'Content-Type': `${type};version=${version}`, 'X-VMWARE-VCLOUD-REQUEST-EXECUTION-TIME': '41' },
    body,
  }
}

/** The name that a `<Source name="…"/>` of a recompose body gives the new machine; undefined when there is none. */
export function sourceName(body: string): string | undefined {
  const names: string[] = []
  try {
    new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '',
      updateTag: (tag, _path, attributes: unknown) => {
        const name = (attributes as { name?: unknown } | undefined)?.name
        if (tag === 'Source' && typeof name === 'string') names.push(name)
        return true
      },
    }).parse(body)
  } catch {
    return undefined
  }
  return names[0]
}
