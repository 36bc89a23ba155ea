// What a browser takes for the page. Times are taken in the page itself, from the event that begins something to the
// frame after which it is on the screen, in milliseconds.
import { readFileSync } from 'node:fs';
import { browse, goTo, saved, signIn, told } from '../tests/page/browse.mjs';

const HELD_MS = 400_000;

/** In every page: when the last key or pointer did something, when which frame was shown, how long overlays take. */
function watch() {
  const seen = (globalThis.seen = { pressed: 0, shown: [], drawn: [], first: null, timeline: [] });
  for (const kind of ['keydown', 'pointerup']) addEventListener(kind, (event) => (seen.pressed = event.timeStamp), true);
  const look = () => {
    const frame = document.querySelector('.screen')?.dataset.shown;
    if (frame !== undefined && frame !== seen.shown.at(-1)?.[0]) {
      requestAnimationFrame((now) => {
        seen.first ??= performance.now();
        seen.shown.push([frame, Math.max(now, performance.now()) - seen.pressed, performance.now()]);
      });
      seen.shown.push([frame, NaN, performance.now()]);
    }
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-shown'] });
  // Figures are drawn after all was cleared, the timeline after all of it was filled.
  const { clearRect, fillRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...all) {
    const began = performance.now();
    queueMicrotask(() => seen.drawn.push(performance.now() - began));
    return clearRect.apply(this, all);
  };
  CanvasRenderingContext2D.prototype.fillRect = function (left, top, ...size) {
    if (left === 0 && top === 0 && this.canvas.getAttribute('role') === 'slider') queueMicrotask(() => seen.timeline.push(performance.now()));
    return fillRect.call(this, left, top, ...size);
  };
}

/** Wait until a picture is on the screen; gives how long it took from the key on. */
async function drawn(page, frame) {
  await page.waitForFunction((wanted) => {
    const [at, took] = globalThis.seen.shown.at(-1) ?? [];
    return at === wanted && !Number.isNaN(took);
  }, String(frame));
  return page.evaluate(() => globalThis.seen.shown.at(-1)[1]);
}

async function open(page) {
  await page.goto('about:blank');
  await page.goto(`${told.address}/#/videos/${told.video}`);
  await drawn(page, 0);
  return page.evaluate(() => globalThis.seen.first);
}

async function jump(page, frame) {
  await goTo(page, frame);
  return drawn(page, frame);
}

/** Steps one frame at a time, slowly enough that pictures are there. */
async function steps(page, count, from) {
  await jump(page, from);
  await page.keyboard.press('ArrowRight');
  await page.waitForTimeout(1500);
  const times = [];
  for (let frame = from + 2; frame < from + 2 + count; frame++) {
    await page.keyboard.press('ArrowRight');
    times.push(await drawn(page, frame));
    await page.waitForTimeout(120);
  }
  return times;
}

const count = (page) => page.evaluate(() => Number(document.querySelector('.screen').dataset.shown));

/** Frames a second while an arrow is held for some seconds, once it goes at its full pace. */
async function held(page, seconds, from) {
  await jump(page, from);
  await page.keyboard.down('ArrowRight');
  await page.waitForTimeout(2500);
  const [first, began] = [await count(page), Date.now()];
  await page.waitForTimeout(seconds * 1000);
  const rate = ((await count(page)) - first) / ((Date.now() - began) / 1000);
  await page.keyboard.up('ArrowRight');
  return rate;
}

/** What is moved a little in every frame; the page lets no text be run as a script, so they stand here whole. */
const pan = (step) => {
  const line = document.querySelector('canvas[role=slider]');
  const box = line.getBoundingClientRect();
  const at = { clientX: box.left + box.width / 2, clientY: box.top + 5, bubbles: true, cancelable: true };
  line.dispatchEvent(new WheelEvent('wheel', step < 20 ? { ...at, deltaY: -40, ctrlKey: true } : { ...at, deltaX: 30 }));
};
const scroll = (step) => {
  const list = document.querySelector('ul[aria-label=Review]');
  list.scrollTop = (step / 90) * list.scrollHeight;
};

/** How long frames take while something is moved in each of them. */
async function paced(page, move) {
  await page.evaluate(`void (globalThis.move = ${move})`);
  return page.evaluate(async () => {
    const times = [];
    let before = await new Promise(requestAnimationFrame);
    for (let step = 0; step < 90; step++) {
      globalThis.move(step);
      const now = await new Promise(requestAnimationFrame);
      times.push(now - before);
      before = now;
    }
    return times;
  });
}

const points = (page) => page.waitForFunction(() => document.querySelectorAll('svg circle[data-keypoint]').length > 0);

/** From asking for the timeline's buckets, and from their arrival, until they are drawn. */
async function timeline(page) {
  const found = await page.waitForFunction(() => {
    const asked = performance.getEntriesByType('resource').filter((one) => /\/timeline\?/.test(one.name) && one.responseEnd > 0);
    const arrived = asked.at(-1)?.responseEnd;
    const at = globalThis.seen.timeline.find((one) => one > arrived);
    return at && { asked: at - asked[0].startTime, drawn: at - arrived };
  });
  return found.jsonValue();
}

/** Moves a keypoint; gives how long it took from the pointer's release until it was saved. */
async function edit(page, turn) {
  const box = await page.locator('svg circle[data-keypoint]').first().boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + (turn % 2 ? -12 : 12), y + 5, { steps: 3 });
  const until = page.evaluate(() => new Promise((done) => {
    let left = false;
    const look = () => {
      const state = document.querySelector('[data-testid=save-state]').dataset.state;
      left ||= state !== 'saved';
      if (left && state === 'saved') done(performance.now() - globalThis.seen.pressed);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }));
  await page.mouse.up();
  return until;
}

/** Memory of the processes that draw pages, in bytes: what is theirs alone, and their share of the rest. */
async function processes(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const sizes = processInfo
    .filter((one) => one.type === 'renderer')
    .map((one) => Number(readFileSync(`/proc/${one.id}/smaps_rollup`, 'utf8').match(/^Pss: +(\d+) kB/m)[1]) * 1024);
  return Math.max(...sizes);
}

const parts = {
  async pictures({ page }) {
    const first = await open(page);
    const moved = await steps(page, told.steps, 100);
    const cold = [];
    for (const frame of told.cold) cold.push(await jump(page, frame));
    return { first, moved, cold, held: await held(page, 5, told.far) };
  },
  async filled({ page }) {
    const first = await open(page);
    await points(page);
    const found = await timeline(page);
    const moved = await steps(page, told.steps, 100);
    const panned = await paced(page, pan);
    return { first, moved, timeline: found, pan: panned, held: await held(page, 5, told.far) };
  },
  async queue({ page }) {
    await open(page);
    await points(page);
    const rows = page.getByRole('list', { name: 'Review' }).getByText(/^Frame \d+/);
    await page.keyboard.press('r');
    await rows.first().waitFor();
    const listed = await page.evaluate(() => performance.now() - globalThis.seen.pressed);
    const counted = await page.getByTestId('review-counters').innerText();
    const waiting = Number(counted.match(/[\d,]+/)[0].replaceAll(',', ''));
    const scrolled = await paced(page, scroll);
    return { listed, waiting, scrolled };
  },
  async many({ page }) {
    await open(page);
    await points(page);
    await page.evaluate(() => (globalThis.seen.drawn.length = 0));
    await steps(page, 20, 1);
    const overlays = await page.evaluate(() => globalThis.seen.drawn);
    await jump(page, 0);
    await saved(page);
    const times = [];
    for (let turn = 0; turn < 10; turn++) times.push(await edit(page, turn));
    return { drawn: overlays, saved: times };
  },
  async fixes({ page }) {
    await open(page);
    await points(page);
    const current = page.locator('li[aria-current=true]');
    await page.keyboard.press('r');
    const times = [];
    for (let fix = 0; fix < told.fixes; fix++) {
      await current.waitFor();
      await drawn(page, Number((await current.innerText()).match(/\d+/)[0]));
      await edit(page, fix);
      const until = page.evaluate(() => new Promise((done) => {
        let began = false;
        const look = () => {
          const busy = document.querySelector('[data-testid=spreading]') !== null;
          began ||= busy;
          if (began && !busy) done(performance.now() - globalThis.seen.pressed);
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      }));
      await page.keyboard.press('Space');
      times.push(await until);
      await page.waitForTimeout(500);
    }
    return { shown: times };
  },
  async memory({ page, context, browser }) {
    await open(page);
    await page.keyboard.down('ArrowRight');
    // How far it comes in that time is told with the result.
    const far = (wanted) => Number(document.querySelector('.screen').dataset.shown) >= wanted;
    await page.waitForFunction(far, told.frames, { timeout: HELD_MS, polling: 500 }).catch(() => undefined);
    await page.keyboard.up('ArrowRight');
    const session = await context.newCDPSession(page);
    await session.send('HeapProfiler.collectGarbage');
    await session.send('Performance.enable');
    const { metrics } = await session.send('Performance.getMetrics');
    const heap = metrics.find((one) => one.name === 'JSHeapUsedSize').value;
    return { heap, process: await processes(browser), frames: await count(page) };
  },
  async load({ page }) {
    await page.goto('about:blank');
    await page.goto(told.address);
    await page.getByRole('navigation', { name: 'Screens', exact: true }).waitFor();
    await page.waitForTimeout(500);
    return page.evaluate(() => {
      const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
      const own = all.filter((one) => !one.name.includes('/api/'));
      const size = (some) => some.reduce((sum, one) => sum + one.encodedBodySize, 0);
      return { all: size(own), script: size(own.filter((one) => one.name.endsWith('.js'))) };
    });
  },
};

await browse(async (browsing) => {
  await browsing.context.addInitScript(watch);
  await signIn(browsing.page);
  return parts[told.part](browsing);
});
