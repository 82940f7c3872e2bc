#!/usr/bin/env bash
# demo.sh: starts neargate and deploys the service of AWS's Fargate tutorial with
# the AWS CLI. Run again, it finds what is there and changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

neargate=bin/neargate
cluster=fargate-cluster service=fargate-service family=sample-fargate

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
# The endpoint is named because AWS CLIs before 2.13 read it from nowhere else.
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" --output text "$@"; }

say 'Starting neargate'
$neargate env >/dev/null 2>&1 || $neargate up -d
eval "$($neargate env)"
export AWS_PAGER= AWS_EC2_METADATA_DISABLED=true
echo "account $(aws sts get-caller-identity --query Account), $AWS_REGION, $AWS_ENDPOINT_URL"

say 'Cluster, role and security group'
aws ecs create-cluster --cluster-name $cluster --query cluster.clusterArn
aws iam get-role --role-name ecsTaskExecutionRole --query Role.Arn 2>/dev/null ||
	aws iam create-role --role-name ecsTaskExecutionRole --query Role.Arn --assume-role-policy-document \
		'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
aws iam attach-role-policy --role-name ecsTaskExecutionRole \
	--policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
group=$(aws ec2 describe-security-groups --filters Name=group-name,Values=$service --query 'SecurityGroups[].GroupId')
if [ -z "$group" ]; then
	group=$(aws ec2 create-security-group --group-name $service --description 'HTTP from anywhere' --query GroupId)
	aws ec2 authorize-security-group-ingress --group-id "$group" --protocol tcp --port 80 --cidr 0.0.0.0/0 --query 'SecurityGroupRules[].SecurityGroupRuleId'
fi
echo "$group"

say 'Task definition'
aws ecs describe-task-definition --task-definition $family --query taskDefinition.taskDefinitionArn 2>/dev/null ||
	aws ecs register-task-definition --cli-input-json file://scripts/sample-fargate.json --query taskDefinition.taskDefinitionArn

say 'Service'
subnet=$(aws ec2 describe-subnets --filters Name=default-for-az,Values=true --query 'Subnets[0].SubnetId')
status=$(aws ecs describe-services --cluster $cluster --services $service --query 'services[].status')
if [ "$status" != ACTIVE ]; then
	aws ecs create-service --cluster $cluster --service-name $service --task-definition $family \
		--desired-count 1 --launch-type FARGATE --query service.serviceArn --network-configuration \
		"awsvpcConfiguration={subnets=[$subnet],securityGroups=[$group],assignPublicIp=ENABLED}"
fi
aws ecs wait services-stable --cluster $cluster --services $service
aws ecs describe-services --cluster $cluster --services $service \
	--query 'services[].[serviceName,status,`running:`,runningCount,`desired:`,desiredCount]'
aws ecs describe-services --cluster $cluster --services $service --query 'services[].events[:3].message' | tr '\t' '\n'

say 'Task'
task=$(aws ecs list-tasks --cluster $cluster --service-name $service --query 'taskArns[0]')
eni=$(aws ecs describe-tasks --cluster $cluster --tasks "$task" --query 'tasks[0].attachments[0].details[?name==`networkInterfaceId`].value')
echo "$task"
aws ec2 describe-network-interfaces --network-interface-ids "$eni" \
	--query 'NetworkInterfaces[].[NetworkInterfaceId,PrivateIpAddress,Association.PublicIp]'

cat <<END

The control plane is AWS's; the node is not yet: in this version tasks run on a
fake node, which takes them through their life cycle and starts no container, so
there is no page at that address.

Use it with the AWS CLI, an SDK or Terraform:

    AWS CLI 2.13 and later:  aws --profile neargate ecs list-services --cluster $cluster
    everything:              eval "\$($neargate env)"

make down stops it; what it knows stays for the next start.
END
