// Odd videos and odd browsers: nothing in them, one frame, upright, very large, very many keypoints; a slow and a lossy
// network, a service that is too busy or full, two tabs, a wrong clock, no worker, no WebGL, nothing kept.
import { readFileSync } from 'node:fs';
import { browse, drag, goTo, keypoint, numbered, openVideo, photo, saved, saveState, shown, signIn, spot, told, violations, watched } from './browse.mjs';

/** In every page: no WebGL, and what pictures are drawn and kept. */
function watch() {
  const { getContext } = HTMLCanvasElement.prototype;
  HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
    return /webgl/.test(kind) ? null : getContext.call(this, kind, ...more);
  };
  const seen = (globalThis.pictures = { drawn: 0, large: 0, most: 0 });
  const { drawImage } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.drawImage = function (image, ...more) {
    seen.drawn = image.width;
    return drawImage.call(this, image, ...more);
  };
  const made = globalThis.createImageBitmap;
  globalThis.createImageBitmap = async (...all) => {
    const picture = await made(...all);
    if (picture.width > 2000) seen.most = Math.max(seen.most, ++seen.large);
    return picture;
  };
  const { close } = ImageBitmap.prototype;
  ImageBitmap.prototype.close = function () {
    if (this.width > 2000) seen.large--;
    return close.call(this);
  };
}

await browse(async ({ page, context, browser, faults }) => {
  await context.addInitScript(watch);
  await numbered(page);
  await signIn(page);
  faults.length = 0;
  const seen = { wrong: {} };
  const { videos } = told;
  const labelsOf = (video, frame, one = page) =>
    one.evaluate(async ([id, at]) => (await (await fetch(`/api/v1/videos/${id}/labels?start=${at}&stop=${at + 1}&layer=human`)).json()).labels, [video, frame]);
  /** The frame that is named, and the number in its picture. */
  const read = ({ width, height }) =>
    page.evaluate(([w, h, bits]) => [Number(document.querySelector('.screen').dataset.shown), globalThis.readNumber(w, h, bits)], [width, height, told.bits]);
  const drawn = (width) => page.waitForFunction((wanted) => globalThis.pictures.drawn === wanted, width);
  const open = (video, one = page) => openVideo(one, video);
  const at = async (name = 'a', one = page) => (await keypoint(one, name)).at;
  const place = async (video, point) => page.mouse.click(...(await spot(page, point, video)));

  // A project without a video.
  await page.goto(`${told.address}/#/projects/${told.empty}`);
  await page.getByText('No video yet.').waitFor();
  seen.wrong.empty = await violations(page);
  await photo(page, 'empty-project');

  // A folder is chosen, a file is dropped; an upload that a reload breaks off is remembered, and goes on where it was.
  const session = await context.newCDPSession(page);
  const network = (latency, bytes) => session.send('Network.emulateNetworkConditions', { offline: false, latency, downloadThroughput: bytes, uploadThroughput: bytes });
  await page.locator('input[webkitdirectory]').setInputFiles(told.uploads.folder);
  for (const name of ['first.mp4', 'second.mp4']) await page.locator('a[href^="#/videos/"]', { hasText: name }).first().waitFor();
  const bytes = [...readFileSync(told.uploads.dropped)];
  await page.evaluate((all) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(all)], 'dropped.mp4', { type: 'video/mp4' }));
    for (const kind of ['dragover', 'drop']) document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, bytes);
  await page.locator('a[href^="#/videos/"]', { hasText: 'dropped.mp4' }).first().waitFor();
  await network(0, 150_000);
  await page.getByTestId('files').setInputFiles(told.uploads.broken);
  await page.waitForFunction(() => document.querySelector('progress')?.value > 100_000);
  await page.reload();
  await network(0, -1);
  const broken = page.getByRole('region', { name: 'Uploads that were broken off' });
  await broken.getByText('broken.mp4').waitFor();
  seen.wrong.broken = await violations(page);
  await photo(page, 'broken-off');
  const patched = page.waitForRequest((request) => request.method() === 'PATCH');
  await page.getByTestId('files').setInputFiles(told.uploads.broken);
  seen.offset = Number((await patched).headers()['upload-offset']);
  await page.locator('a[href^="#/videos/"]', { hasText: 'broken.mp4' }).first().waitFor();
  await broken.waitFor({ state: 'detached' });

  // A video without subjects, upright: every key does something or nothing, then a click places a keypoint.
  await open(videos.upright);
  await page.getByText('Click on the frame to place the first keypoint of the first subject.').waitFor();
  for (const key of ['m', '[', ']', 'c', 'y', 'a', 'Shift+A', 'e', 'z', 'o', 'o', 'o', 'w', 'j', 'x', 'v', 'Delete', 'Shift+C', 'Control+z', 'Tab', '`', '5', 'n', 'Space', 'r'])
    await page.keyboard.press(key);
  seen.number = [await read(videos.upright)];
  seen.wrong.upright = await violations(page);
  await photo(page, 'upright');
  await page.keyboard.press('Escape');
  await place(videos.upright, [100, 300]);
  await page.getByText('Click: b', { exact: true }).waitFor();
  await saved(page);
  seen.upright = await at();

  // One frame: nowhere to go.
  await open(videos.single);
  for (const key of ['ArrowRight', 'End', 'Control+ArrowRight', 'ArrowLeft', 'm', ']']) await page.keyboard.press(key);
  seen.single = [await page.locator('.screen').getAttribute('data-shown')];
  await place(videos.single, [50, 60]);
  await saved(page);
  seen.single.push(await at());

  // Very large pictures: those that fill the window are small, whole ones are for looking closer, and few are kept.
  await open(videos.vast);
  const widths = () => page.evaluate(() => performance.getEntriesByType('resource').map((one) => one.name).filter((name) => /frames\/\d+/.test(name)).map((name) => Number(/width=(\d+)/.exec(name)?.[1] ?? 0)));
  await goTo(page, 5);
  seen.number.push(await read(videos.vast));
  seen.widths = await widths();
  for (let step = 0; step < 6; step++) await page.keyboard.press('+');
  await drawn(videos.vast.width);
  for (let frame = 6; frame < videos.vast.frames; frame++) {
    await page.keyboard.press('ArrowRight');
    await shown(page, frame);
    await drawn(videos.vast.width);
  }
  seen.most = await page.evaluate(() => globalThis.pictures.most);
  await page.keyboard.press('0');
  await goTo(page, 3);
  seen.number.push(await read(videos.vast));
  await photo(page, 'vast');

  // Very many keypoints.
  await open(videos.many);
  await page.locator('svg circle[data-keypoint="p0"]').waitFor();
  seen.many = [await page.locator('aside ol li').count(), await page.locator('svg circle[data-keypoint]').count(), await at('p250')];
  await drag(page, 'p250', [15, 10]);
  await saved(page);
  seen.many.push(await at('p250'), (await labelsOf(videos.many.id, 0))[0].keypoints[250]);
  await photo(page, 'many');

  // A slow network.
  await network(400, 60_000);
  await open(videos.plain);
  await goTo(page, 40);
  seen.number.push(await read(videos.plain));
  await goTo(page, 0);
  await drag(page, 'a', [20, 0]);
  await saved(page);
  seen.slow = [await at(), (await labelsOf(videos.plain.id, 0))[0].keypoints[0]];
  await network(0, -1);

  // A lossy one: of three requests one is lost.
  let count = 0;
  await page.route('**/api/**', (route) => (++count % 3 ? route.continue() : route.abort()));
  for (const frame of [11, 23, 37]) {
    await goTo(page, frame);
    seen.number.push(await read(videos.plain));
  }
  await goTo(page, 0);
  await drag(page, 'a', [0, 15]);
  await saved(page);
  await page.unroute('**/api/**');
  seen.lossy = [await at(), (await labelsOf(videos.plain.id, 0))[0].keypoints[0]];

  // The service has no time, or no room: it says so, and nothing is lost.
  seen.busy = [];
  for (const [status, detail] of [[429, 'this key asks too often; ask again in 2 seconds'], [507, 'there is no room left on the disk of the service']]) {
    await page.route('**/labels', (route) =>
      route.request().method() === 'PUT' ? route.fulfill({ status, contentType: 'application/problem+json', body: JSON.stringify({ status, detail }) }) : route.continue(),
    );
    await drag(page, 'a', [6, 6]);
    await saveState(page, 'offline');
    seen.busy.push([await page.getByTestId('save-state').innerText(), await page.getByRole('alert').innerText()]);
    seen.wrong[status] = await violations(page);
    await photo(page, `busy-${status}`);
    await page.unroute('**/labels');
    await saved(page);
    seen.busy.at(-1).push(await at(), (await labelsOf(videos.plain.id, 0))[0].keypoints[0]);
  }

  // What is too large to be sent at once is sent in parts.
  await page.route('**/labels', (route) => (route.request().method() === 'PUT' ? route.abort() : route.continue()));
  for (const frame of [0, 20, 40]) {
    await goTo(page, frame);
    await drag(page, 'b', [7, 3]);
  }
  await saveState(page, 'offline');
  await page.unroute('**/labels');
  seen.parts = [];
  await page.route('**/labels', (route) => {
    if (route.request().method() !== 'PUT') return route.continue();
    const size = JSON.parse(route.request().postData()).labels.length;
    seen.parts.push(size);
    const body = JSON.stringify({ status: 413, detail: 'the request is too large' });
    return size > 1 ? route.fulfill({ status: 413, contentType: 'application/problem+json', body }) : route.continue();
  });
  await saved(page);
  await page.unroute('**/labels');

  // Left while the network is away: it is saved when it is back, whether or not somebody looks.
  await goTo(page, 0);
  await context.setOffline(true);
  await drag(page, 'c', [-9, 4]);
  await saveState(page, 'offline');
  const before = await at('c');
  await page.evaluate(() => (location.hash = '#/'));
  await page.locator('.screen').waitFor({ state: 'detached' });
  await context.setOffline(false);
  await page.evaluate((id) => (location.hash = `#/videos/${id}`), videos.plain.id);
  await page.waitForSelector('.screen[data-read=true]');
  await page.locator('svg circle[data-keypoint=c]').waitFor();
  await saved(page);
  seen.left = [before, await at('c'), (await labelsOf(videos.plain.id, 0))[0].keypoints[2].slice(0, 2)];

  // Two tabs of one browser, each with another keypoint of the same pose.
  const tab = await context.newPage();
  faults.push(...watched(tab));
  await open(videos.plain, tab);
  await drag(tab, 'd', [11, 0]);
  await saved(tab);
  await drag(page, 'a', [0, -12]);
  await saved(page);
  const [here, there] = [await at('a'), await at('d', tab)];
  await page.locator(`svg circle[data-keypoint="d"][data-x="${there[0]}"]`).waitFor({ state: 'attached' });
  const both = (await labelsOf(videos.plain.id, 0))[0].keypoints;
  seen.tabs = [[here, there], [both[0].slice(0, 2), both[3].slice(0, 2)]];
  await tab.close();

  /** Somebody else's browser, in which something is so in every page. */
  const other = async (script, address = told.address, key = told.key) => {
    const one = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
    const thrown = watched(one);
    await one.addInitScript(script);
    await one.goto(address);
    await one.getByLabel('API key').fill(key);
    return { one, thrown };
  };
  const enter = async (one) => {
    await one.getByRole('button', { name: 'Sign in' }).click();
    await one.getByRole('navigation', { name: 'Screens', exact: true }).waitFor();
  };

  // A clock that is three days slow.
  const slow = await other(`const real = Date; globalThis.Date = class extends real { constructor(...all) { super(...(all.length ? all : [real.now() - 3 * 864e5])); } static now() { return real.now() - 3 * 864e5; } };`);
  await enter(slow.one);
  await open(videos.plain, slow.one);
  await drag(slow.one, 'b', [0, 9]);
  await saved(slow.one);
  seen.clock = [await at('b', slow.one), (await labelsOf(videos.plain.id, 0))[0].keypoints[1].slice(0, 2)];
  await slow.one.context().close();

  // A browser that keeps nothing for pages, and one that keeps no cookies either.
  const nothing = `for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) Object.defineProperty(globalThis, name, { get() { throw new DOMException('no', 'SecurityError'); } });`;
  const bare = await other(nothing);
  await enter(bare.one);
  bare.thrown.length = 0;
  await open(videos.plain, bare.one);
  await drag(bare.one, 'b', [0, 9]);
  await saved(bare.one);
  await bare.one.getByRole('button', { name: /theme/ }).click();
  seen.bare = [await at('b', bare.one), (await labelsOf(videos.plain.id, 0))[0].keypoints[1].slice(0, 2), bare.thrown];
  await bare.one.context().close();
  const plain = await other('');
  await plain.one.route('**/api/v1/session', async (route) => {
    const answer = await route.fetch();
    const headers = Object.fromEntries(Object.entries(answer.headers()).filter(([name]) => name !== 'set-cookie'));
    // Playwright keeps the cookie of what it fetched; it must be gone before the page asks anything more.
    await plain.one.context().clearCookies();
    await route.fulfill({ response: answer, headers });
  });
  await plain.one.getByRole('button', { name: 'Sign in' }).click();
  seen.cookies = await plain.one.getByRole('alert').innerText();
  await plain.one.context().close();

  // No worker: it is said, instead of a wheel that turns for ever.
  const idle = await other('', told.idle.address, told.idle.key);
  await enter(idle.one);
  await idle.one.clock.install();
  await idle.one.goto(`${told.idle.address}/#/videos/${told.idle.video}`);
  await shown(idle.one, 0);
  await idle.one.locator('svg circle[data-keypoint]').first().waitFor();
  await idle.one.getByRole('button', { name: 'Propagate', exact: true }).click();
  await idle.one.getByText('waiting for a worker').waitFor();
  await idle.one.clock.fastForward(13_000);
  seen.idle = await idle.one.getByText(/No worker has taken this/).innerText();
  await photo(idle.one, 'no-worker');
  return seen;
});
