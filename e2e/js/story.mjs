// The SDK for JavaScript: create, read, page through, wait for and delete
// everything, and see what is refused.
import assert from 'node:assert/strict'
import { ECS, paginateListClusters, paginateListServices, paginateListTaskDefinitions, paginateListTasks, ClusterNotFoundException, ConflictException, waitUntilServicesStable, waitUntilServicesInactive, waitUntilTasksRunning, waitUntilTasksStopped } from '@aws-sdk/client-ecs'
import { EC2, paginateDescribeSecurityGroups, paginateDescribeSubnets } from '@aws-sdk/client-ec2'
import { IAM, paginateListRoles, NoSuchEntityException } from '@aws-sdk/client-iam'
import { STS } from '@aws-sdk/client-sts'
import { CloudWatchLogs, paginateDescribeLogGroups, ResourceAlreadyExistsException } from '@aws-sdk/client-cloudwatch-logs'

// Endpoint, region and credentials come from the environment.
const [ecs, ec2, iam, sts, logs] = [ECS, EC2, IAM, STS, CloudWatchLogs].map(Client => new Client({ maxAttempts: 1 }))
const account = process.env.ACCOUNT

async function all(pages, key) {
  const items = []
  let count = 0
  for await (const page of pages) {
    items.push(...page[key])
    count++
  }
  return [items, count]
}

const who = await sts.getCallerIdentity({})
assert.equal(who.Account, account)

// Refusals are the SDK's classes.
await assert.rejects(ecs.listTasks({ cluster: 'none' }), e =>
  e instanceof ClusterNotFoundException && e.message === 'Cluster not found.' && e.$metadata.httpStatusCode === 400)
await assert.rejects(iam.getRole({ RoleName: 'none' }), e =>
  e instanceof NoSuchEntityException && e.$metadata.httpStatusCode === 404)
await assert.rejects(ec2.describeVpcs({ VpcIds: ['vpc-invalid'] }), { name: 'InvalidVpcID.NotFound' })
await assert.rejects(new STS({ maxAttempts: 1, credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: 'wrong' } }).getCallerIdentity({}), { name: 'SignatureDoesNotMatch' })

// A service and a task.
const { cluster } = await ecs.createCluster({ clusterName: 'c', tags: [{ key: 'a', value: 'b' }] })
assert.equal(cluster.clusterArn, `arn:aws:ecs:us-east-1:${account}:cluster/c`)
const { taskDefinition } = await ecs.registerTaskDefinition({
  family: 'app', networkMode: 'awsvpc', requiresCompatibilities: ['FARGATE'], cpu: '256', memory: '512',
  containerDefinitions: [{ name: 'main', image: 'nginx', portMappings: [{ containerPort: 80 }] }],
})
assert.ok(taskDefinition.registeredAt instanceof Date)
const [subnets] = await all(paginateDescribeSubnets({ client: ec2, pageSize: 5 }, {}), 'Subnets')
assert.equal(subnets.length, 6)
const networkConfiguration = { awsvpcConfiguration: { subnets: subnets.slice(0, 2).map(s => s.SubnetId), assignPublicIp: 'ENABLED' } }
await ecs.createService({ cluster: 'c', serviceName: 'web', taskDefinition: 'app', desiredCount: 3, launchType: 'FARGATE', networkConfiguration })
const patience = { client: ecs, maxWaitTime: 90, minDelay: 1, maxDelay: 1 }
await waitUntilServicesStable(patience, { cluster: 'c', services: ['web'] })
const [tasks, pages] = await all(paginateListTasks({ client: ecs, pageSize: 2 }, { cluster: 'c', serviceName: 'web' }), 'taskArns')
assert.equal(new Set(tasks).size, 3)
assert.equal(pages, 2)

const run = { cluster: 'c', taskDefinition: 'app', launchType: 'FARGATE', networkConfiguration, clientToken: 'token' }
const ran = await ecs.runTask(run)
const task = ran.tasks[0].taskArn
await assert.rejects(ecs.runTask({ ...run, count: 2 }), e => e instanceof ConflictException && e.resourceIds[0] === task)
await waitUntilTasksRunning(patience, { cluster: 'c', tasks: [task] })
await ecs.stopTask({ cluster: 'c', task, reason: 'done' })
await waitUntilTasksStopped(patience, { cluster: 'c', tasks: [task] })
const { tasks: [stopped] } = await ecs.describeTasks({ cluster: 'c', tasks: [task] })
assert.equal(stopped.stoppedReason, 'done')
assert.ok(stopped.createdAt <= stopped.stoppedAt)

// Pages.
const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }] })
for (let n = 0; n < 5; n++) {
  await ecs.createCluster({ clusterName: `p${n}` })
  await ecs.registerTaskDefinition({ family: `p${n}`, containerDefinitions: [{ name: 'c', image: 'i', memory: 8 }] })
  await ecs.createService({ cluster: 'c', serviceName: `p${n}`, taskDefinition: 'app', desiredCount: 0, launchType: 'FARGATE', networkConfiguration })
  await iam.createRole({ RoleName: `p${n}`, AssumeRolePolicyDocument: trust })
  await logs.createLogGroup({ logGroupName: `p${n}` })
  await ec2.createSecurityGroup({ GroupName: `p${n}`, Description: 'd' })
}
await assert.rejects(logs.createLogGroup({ logGroupName: 'p0' }), e => e instanceof ResourceAlreadyExistsException)
for (const [paginate, client, input, key, count] of [
  [paginateListClusters, ecs, {}, 'clusterArns', 6],
  [paginateListServices, ecs, { cluster: 'c' }, 'serviceArns', 6],
  [paginateListTaskDefinitions, ecs, {}, 'taskDefinitionArns', 6],
  [paginateDescribeLogGroups, logs, {}, 'logGroups', 5],
  [paginateListRoles, iam, { PathPrefix: '/' }, 'Roles', 6],
  [paginateDescribeSecurityGroups, ec2, { MaxResults: 5 }, 'SecurityGroups', 6],
]) {
  const [items, pages] = await all(paginate({ client, pageSize: key === 'SecurityGroups' ? 5 : 2 }, input), key)
  assert.equal(new Set(items.map(i => JSON.stringify(i))).size, count, key)
  assert.ok(pages > 1, key)
}
await assert.rejects(ecs.listClusters({ nextToken: 'forged' }), { name: 'InvalidParameterException' })

// Delete.
for (const service of ['web', 'p0', 'p1', 'p2', 'p3', 'p4']) await ecs.deleteService({ cluster: 'c', service, force: true })
await waitUntilServicesInactive(patience, { cluster: 'c', services: ['web'] })
for (let n = 0; n < 5; n++) {
  await ecs.deleteCluster({ cluster: `p${n}` })
  await ecs.deregisterTaskDefinition({ taskDefinition: `p${n}:1` })
  await iam.deleteRole({ RoleName: `p${n}` })
  await logs.deleteLogGroup({ logGroupName: `p${n}` })
  await ec2.deleteSecurityGroup({ GroupName: `p${n}` })
}
const gone = await ecs.deleteCluster({ cluster: 'c' })
assert.equal(gone.cluster.status, 'INACTIVE')
