// Uploads a file with tus-js-client as told by the JSON in the first argument, and prints what became of it.
import fs from 'node:fs'
import { PassThrough } from 'node:stream'
import * as tus from 'tus-js-client'

const { file, key, stopAt, terminate, stream, projectId, ...options } = JSON.parse(process.argv[2])
const requests = []
let video = null

function end(outcome, error) {
  console.log(JSON.stringify({ outcome, error: error && String(error), url: upload.url, video, requests }))
  process.exit(0)
}

// Of a file's own stream the client asks the size, also where it shall not know it.
const source = stream ? fs.createReadStream(file).pipe(new PassThrough()) : fs.readFileSync(file)
const upload = new tus.Upload(source, {
  headers: { Authorization: `Bearer ${key}` },
  metadata: { filename: 'walk.mp4', filetype: 'video/mp4', project_id: String(projectId) },
  ...options,
  onAfterResponse(request, response) {
    requests.push(`${request.getMethod()} ${response.getStatus()}`)
    video = response.getHeader('Posetween-Video') ?? video
  },
  onProgress(sent) {
    if (stopAt === undefined || sent < stopAt) return
    upload.abort(terminate).then(() => end('stopped'), (error) => end('failed', error))
  },
  onSuccess: () => end('finished'),
  onError: (error) => end('failed', error),
})
upload.start()
