const AS_USER = '-H "authorization: Bearer $TOKEN"';
const AS_ADMIN = '-H "authorization: Bearer $ADMIN"';
/** The headers of a JSON body, with a line of their own; the body follows. */
const WITH_JSON = "\\\n  -H 'content-type: application/json' \\\n ";
const JSON_AS_USER = `\\\n  ${AS_USER} -H 'content-type: application/json' \\\n `;
const JSON_AS_ADMIN = `\\\n  ${AS_ADMIN} -H 'content-type: application/json' \\\n `;
/** The picture of `SETUP`, inside a JSON body in single quotes. */
const PICTURE = `'"$PICTURE"'`;

/** What every example relies on: the service, the tokens, a function that reads JSON, and three small files. */
export const SETUP = (api: string) => `API=${api}
TOKEN=$(npx mediakeep token --sub user-1 --ttl 12h)
ADMIN=$(npx mediakeep token --sub my-back-end --scope 'media:read media:write media:admin' --ttl 12h)

# prints one field of a JSON response: field items.0.id
field() { node -e 'console.log(process.argv[1].split(".").reduce((value, name) => value[name], JSON.parse(fs.readFileSync(0))))' "$1"; }

# a picture with a ComfyUI workflow inside, a sound, a video
echo iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAAO3RFWHRwcm9tcHQAeyIzIjp7ImNsYXNzX3R5cGUiOiJLU2FtcGxlciIsImlucHV0cyI6eyJzZWVkIjo0Mn19fb9/CW0AAAAMSURBVHicYzgRIAIAAxABLXT9Z6cAAAAASUVORK5CYII= | base64 -d > fox.png
PICTURE=$(base64 < fox.png | tr -d '\\n')
echo UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQQAAACAgICA | base64 -d > fox.wav
echo AAAAFGZ0eXBpc29tAAAAAGlzb20AAAAIbWRhdA== | base64 -d > fox.mp4`;

/**
 * A command for each operation, by operationId. The order is that of the page: each group's operations in the order of use. A command
 * may use the variables of `SETUP` and of commands before it; a test runs all of them in that order.
 */
export const EXAMPLES: Readonly<Record<string, string>> = {
  // Media
  createMedia: `# the raw bytes, with their fields in the query
ID=$(curl -sS "$API/v1/media?prompt=a+red+fox&tags=fox,snow" ${AS_USER} \\
  -H 'content-type: image/png' -H 'idempotency-key: first-fox' --data-binary @fox.png | field id)
echo "stored as $ID"
# the same with JSON
curl -sS "$API/v1/media" ${JSON_AS_USER} -d '{"prompt":"a red fox","tags":["fox"],"source":{"type":"base64","data":"${PICTURE}"}}'`,
  createMediaBytes: `curl -sS "$API/v1/media/bytes?prompt=a+red+fox" ${AS_USER} \\
  -H 'content-type: application/octet-stream' --data-binary @fox.png`,
  createMediaForm: `curl -sS "$API/v1/media/form" ${AS_USER} \\
  -F prompt='a red fox' -F tags=fox -F file=@fox.png`,
  createBatch: `curl -sS "$API/v1/batches" ${JSON_AS_USER} -d '{"items":[
  {"prompt":"a red fox","source":{"type":"base64","data":"${PICTURE}"}},
  {"prompt":"a blue fox","status":"failed","error":"CUDA out of memory","toolName":"paint"}]}'`,
  getMedia: `curl -sS "$API/v1/media/$ID" ${AS_USER}`,
  updateMedia: `curl -sS -X PATCH "$API/v1/media/$ID" ${JSON_AS_USER} -d '{"tags":["fox","favourite"],"metadata":{"rating":5}}'`,
  deleteMedia: `curl -sS -X DELETE "$API/v1/media/$ID" ${AS_USER}`,
  restoreMedia: `curl -sS -X POST "$API/v1/media/$ID/restore" ${AS_USER}`,
  actOnMany: `# how many would it be
curl -sS "$API/v1/actions" ${JSON_AS_USER} -d '{"action":"tag","filter":{"tag":["fox"]},"value":"seen","dryRun":true}'
curl -sS "$API/v1/actions" ${JSON_AS_USER} -d '{"action":"tag","ids":["'"$ID"'"],"value":["seen","animal"]}'`,
  getTask: `# the id of a task, from an answer with 202
TASK=
[ -z "$TASK" ] || curl -sS "$API/v1/tasks/$TASK" ${AS_USER}`,

  // Delivery
  getMediaContent: `curl -sS -o copy.png "$API/v1/media/$ID/content" ${AS_USER}
cmp fox.png copy.png`,
  createSignedUrl: `URL=$(curl -sS "$API/v1/media/$ID/url" ${JSON_AS_USER} -d '{"expiresIn":900}' | field url)
echo "$URL"`,
  getSigned: `# no token: the URL itself is the permission
curl -sS -o copy.png "\${URL%/*}"
cmp fox.png copy.png`,
  getSignedFile: `curl -sS -o copy.png "$URL"
cmp fox.png copy.png`,
  createSignedUrls: `curl -sS "$API/v1/signed-urls" ${JSON_AS_USER} -d '{"ids":["'"$ID"'"],"expiresIn":900}'`,
  getUpload: `KEY=$(curl -sS "$API/v1/media/$ID" ${AS_USER} | field storageKey)
curl -sS -o copy.png "$API/uploads/$KEY" ${AS_USER}
cmp fox.png copy.png`,
  getMediaWorkflow: `curl -sS -o workflow.json "$API/v1/media/$ID/workflow" ${AS_USER}`,

  // Search
  searchMedia: `curl -sS "$API/v1/media?q=fox&tag=fox&createdAfter=2026-01-01T00:00:00Z" ${AS_USER}
# two pages of two
CURSOR=$(curl -sS "$API/v1/media?limit=2" ${AS_USER} | field nextCursor)
curl -sS "$API/v1/media?limit=2&cursor=$CURSOR" ${AS_USER}`,
  listFailures: `curl -sS "$API/v1/failures?toolName=paint" ${AS_USER}`,
  listTags: `curl -sS "$API/v1/tags?prefix=fo" ${AS_USER}`,
  getStats: `curl -sS "$API/v1/stats" ${AS_USER}`,

  // Import
  importAnswer: `# what the provider answered goes into "response", unchanged
curl -sS "$API/v1/import/openai" ${JSON_AS_USER} -d '{
  "prompt":"a lighthouse at dusk","model":"gpt-image-1",
  "response":{"created":1764500000,"size":"1024x1024","data":[{"b64_json":"${PICTURE}"}]}}'`,

  // Jobs
  registerJob: `curl -sS -X PUT "$API/v1/jobs/runpod/job-1" ${JSON_AS_USER} -d '{"toolName":"text-to-image","prompt":"a red fox","tags":["fox"]}'`,
  getJob: `curl -sS "$API/v1/jobs/runpod/job-1" ${AS_USER}`,
  listJobs: `curl -sS "$API/v1/jobs?provider=runpod&limit=20" ${AS_USER}`,
  listJobMedia: `curl -sS "$API/v1/jobs/runpod/job-1/media" ${AS_USER}`,
  retryJob: `curl -sS -X POST "$API/v1/jobs/runpod/job-1/retry" ${AS_USER}`,

  // Webhooks
  receiveWebhook: `# the service runs with WEBHOOK_SECRET_RUNPOD=a-secret-for-this-guide
SECRET=a-secret-for-this-guide
# what RunPod sends when the job above has ended
curl -sS "$API/v1/webhooks/runpod?secret=$SECRET" ${WITH_JSON} -d '{"id":"job-1","status":"COMPLETED",
  "output":{"images":[{"filename":"fox.png","type":"base64","data":"${PICTURE}"}]}}'`,
  listParkedWebhooks: `# the webhook of a job that nobody has registered
curl -sS "$API/v1/webhooks/runpod?secret=$SECRET" ${WITH_JSON} -d '{"id":"stray-'"$(date +%s)"'",
  "status":"COMPLETED","output":{"images":[{"filename":"fox.png","type":"base64","data":"${PICTURE}"}]}}'
PARKED=$(curl -sS "$API/v1/webhook-deliveries?provider=runpod&limit=1" \\
  ${AS_ADMIN} | field items.0.id)
echo "parked as $PARKED"`,
  releaseParkedWebhook: `curl -sS "$API/v1/webhook-deliveries/$PARKED/release" ${JSON_AS_ADMIN} -d '{"userId":"user-1"}'`,

  // Uploads
  createUpload: `curl -sS "$API/v1/uploads" ${JSON_AS_USER} -d '{"filename":"fox.png","contentType":"image/png","bytes":'"$(wc -c < fox.png | tr -d ' ')"'}' > upload.json
UPLOAD=$(field id < upload.json)`,
  putUploadContent: `# without a token, as a browser does; send all headers that the upload names
curl -sS -X PUT "$(field url < upload.json)" \\
  -H 'content-type: image/png' -H 'if-none-match: *' --data-binary @fox.png`,
  completeUpload: `curl -sS -X POST "$API/v1/uploads/$UPLOAD/complete" ${AS_USER}`,

  // Runs
  createRun: `RUN=$(curl -sS "$API/v1/runs" ${JSON_AS_USER} -d '{"inputText":"a red fox","schema":"dada","safetyLevel":"kids"}' | field runId)
echo "run $RUN"`,
  addRunMedia: `curl -sS "$API/v1/runs/$RUN/media?prompt=a+red+fox" ${AS_USER} \\
  -H 'content-type: image/png' --data-binary @fox.png`,
  addRunMediaBytes: `curl -sS "$API/v1/runs/$RUN/media/bytes?filename=fox.mp4" ${AS_USER} \\
  -H 'content-type: application/octet-stream' --data-binary @fox.mp4`,
  addRunMediaForm: `curl -sS "$API/v1/runs/$RUN/media/form" ${AS_USER} -F file=@fox.wav`,
  getRun: `curl -sS "$API/v1/runs/$RUN" ${AS_USER}`,
  listRuns: `curl -sS "$API/v1/runs?status=open&limit=20" ${AS_USER}`,
  completeRun: `curl -sS "$API/v1/runs/$RUN/complete" ${JSON_AS_USER} -d '{"transformedText":"a fox made of triangles"}'`,
  exportRun: `curl -sS -o run.zip "$API/v1/runs/$RUN/export" ${AS_USER}`,

  // Scenes
  createSceneVersion: `# a project is any UUID, a scene any name
SCENE=$API/v1/projects/6f1c7f0e-0000-4000-8000-000000000001/scenes/opening
curl -sS "$SCENE?prompt=a+red+fox" ${AS_USER} \\
  -H 'content-type: image/png' --data-binary @fox.png`,
  createSceneVersionBytes: `curl -sS "$SCENE/bytes?prompt=a+blue+fox" ${AS_USER} \\
  -H 'content-type: application/octet-stream' --data-binary @fox.png`,
  createSceneVersionForm: `curl -sS "$SCENE/form" ${AS_USER} -F prompt='a green fox' -F file=@fox.png`,
  createSceneVersions: `curl -sS "$API/v1/projects/6f1c7f0e-0000-4000-8000-000000000001/scenes" ${JSON_AS_USER} -d '{"items":[{"sceneId":"ending","source":{"type":"base64","data":"${PICTURE}"}}]}'`,
  getScene: `curl -sS "$SCENE" ${AS_USER}`,
  listSceneVersions: `curl -sS "$SCENE/versions?limit=10" ${AS_USER}`,
  setSceneVersion: `curl -sS -X PUT "$SCENE/current" ${JSON_AS_USER} -d '{"version":1}'`,

  // Events
  followEvents: `# two seconds of the stream; without --max-time it goes on
curl -sSN --max-time 2 "$API/v1/events" ${AS_USER} || test $? = 28`,

  // Compatibility
  compatListImages: `curl -sS "$API/api/images?limit=10" ${AS_USER}`,
  compatSaveImages: `curl -sS "$API/api/images/save" ${JSON_AS_USER} -d '{"jobId":"job-3","image":{"filename":"fox.png","data":"${PICTURE}"}}'`,
  compatGetNetworkVolumeImage: `curl -sS -o copy.png "$API/api/images/$ID/network-volume" ${AS_USER}`,
  compatGetImageData: `curl -sS -o copy.png "$API/api/images/$ID/data" ${AS_USER}`,
  compatGetRunImage: `curl -sS -o copy.png "$API/api/media/image/$RUN" ${AS_USER}`,
  compatGetRunAudio: `curl -sS -o copy.wav "$API/api/media/audio/$RUN" ${AS_USER}`,
  compatGetRunVideo: `curl -sS -o copy.mp4 "$API/api/media/video/$RUN" ${AS_USER}`,
  compatGetRunInfo: `curl -sS "$API/api/media/info/$RUN" ${AS_USER}`,
  compatGetRun: `curl -sS "$API/api/media/run/$RUN" ${AS_USER}`,
  compatRunpodWebhook: `curl -sS "$API/api/webhooks/runpod?secret=$SECRET&userId=user-1" ${WITH_JSON} -d '{"id":"job-4",
  "status":"COMPLETED","output":{"images":[{"filename":"fox.png","type":"base64","data":"${PICTURE}"}]}}'`,
  compatGenerationWebhook: `curl -sS "$API/api/webhooks/generation/job-5?secret=$SECRET&userId=user-1" ${WITH_JSON} -d '{"status":"COMPLETED","output":{"images":[{"filename":"fox.png","type":"base64","data":"${PICTURE}"}]}}'`,

  // Operations
  getLiveness: 'curl -sS "$API/health/live"',
  getReadiness: 'curl -sS "$API/health/ready"',
  getMetrics: `# with METRICS_TOKEN also: -H "authorization: Bearer $METRICS_TOKEN"
curl -sS "$API/metrics"`,
};
