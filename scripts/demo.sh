#!/usr/bin/env bash
# demo.sh: starts neargate, pushes a sample image to Amazon ECR there, runs it as a
# Fargate service with the AWS CLI, and fetches its page from its public address.
# Run again, it finds what is there and changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

neargate=bin/neargate
cluster=demo service=sample group=/ecs/sample

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
# The endpoint is named because AWS CLIs before 2.13 read it from nowhere else.
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" --output text "$@"; }

say 'Starting neargate'
$neargate env >/dev/null 2>&1 || $neargate up -d
eval "$($neargate env)"
export AWS_PAGER= AWS_EC2_METADATA_DISABLED=true
account=$(aws sts get-caller-identity --query Account)
echo "account $account, $AWS_REGION, $AWS_ENDPOINT_URL"

say 'Repository, and the sample image pushed to it'
aws ecr describe-repositories --repository-names sample --query 'repositories[].repositoryUri' 2>/dev/null ||
	aws ecr create-repository --repository-name sample --query repository.repositoryUri
# What docker login and docker push do with ${AWS_ENDPOINT_URL#*://}/sample.
aws ecr get-login-password |
	(cd e2e && ../bin/neargate-registry -dir ../.cache/registry/images -push "${AWS_ENDPOINT_URL#*://}/sample:latest" sample)

say 'Cluster, role, log group and security group'
aws ecs create-cluster --cluster-name $cluster --query cluster.clusterArn
aws iam get-role --role-name ecsTaskExecutionRole --query Role.Arn 2>/dev/null ||
	aws iam create-role --role-name ecsTaskExecutionRole --query Role.Arn --assume-role-policy-document \
		'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
aws iam attach-role-policy --role-name ecsTaskExecutionRole \
	--policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
found=$(aws logs describe-log-groups --log-group-name-prefix $group --query 'logGroups[].logGroupName')
[ "$found" = $group ] || aws logs create-log-group --log-group-name $group
echo $group
sg=$(aws ec2 describe-security-groups --filters Name=group-name,Values=$service --query 'SecurityGroups[].GroupId')
if [ -z "$sg" ]; then
	sg=$(aws ec2 create-security-group --group-name $service --description 'HTTP from anywhere' --query GroupId)
	aws ec2 authorize-security-group-ingress --group-id "$sg" --protocol tcp --port 80 --cidr 0.0.0.0/0 --query 'SecurityGroupRules[].SecurityGroupRuleId'
fi
echo "$sg"

say 'Task definition'
aws ecs describe-task-definition --task-definition sample --query taskDefinition.taskDefinitionArn 2>/dev/null ||
	aws ecs register-task-definition --cli-input-json "$(sed "s/ACCOUNT/$account/g; s/REGION/$AWS_REGION/g" scripts/sample.json)" --query taskDefinition.taskDefinitionArn

say 'Service'
subnet=$(aws ec2 describe-subnets --filters Name=default-for-az,Values=true --query 'Subnets[0].SubnetId')
status=$(aws ecs describe-services --cluster $cluster --services $service --query 'services[].status')
if [ "$status" != ACTIVE ]; then
	aws ecs create-service --cluster $cluster --service-name $service --task-definition sample \
		--desired-count 1 --launch-type FARGATE --query service.serviceArn --network-configuration \
		"awsvpcConfiguration={subnets=[$subnet],securityGroups=[$sg],assignPublicIp=ENABLED}"
fi
for _ in $(seq 60); do
	task=$(aws ecs list-tasks --cluster $cluster --service-name $service --desired-status RUNNING --query 'taskArns[0]')
	[ "$task" = None ] || state=$(aws ecs describe-tasks --cluster $cluster --tasks "$task" --query 'tasks[0].[lastStatus,stoppedReason]')
	case ${state-} in RUNNING*) break ;; STOPPED*) echo "$state"; exit 1 ;; esac
done
echo "$task"
aws ecs describe-services --cluster $cluster --services $service --query 'services[].events[:3].message' | tr '\t' '\n'

say 'Its page'
eni=$(aws ecs describe-tasks --cluster $cluster --tasks "$task" --query 'tasks[0].attachments[0].details[?name==`networkInterfaceId`].value')
address=$(aws ec2 describe-network-interfaces --network-interface-ids "$eni" --query 'NetworkInterfaces[0].Association.PublicIp')
curl -fsS --retry 20 --retry-delay 1 --retry-connrefused --max-time 5 -o .cache/page.html "http://$address/"
sed -n 's:.*<h1>\(.*\)</h1>.*:\1:p; s:.*<dt>\(.*\)</dt><dd>\(.*\)</dd>.*:  \1\: \2:p' .cache/page.html | sed 's/<[^>]*>//g'

say 'What it has cost so far, at the prices of AWS Fargate'
$neargate bill --running

cat <<END

The page is at http://$address/ on this machine: a task in a sandbox of its own,
a quarter of a vCPU and 512 MiB.

Go on with the AWS CLI, an SDK or Terraform:

    AWS CLI 2.13 and later:  aws --profile neargate ecs list-tasks --cluster $cluster
                             aws --profile neargate logs tail $group --follow
    everything:              eval "\$($neargate env)"

make down stops it and removes every task; what it knows stays for the next start.
END
