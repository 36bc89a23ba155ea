// What the scripts that drive a browser share. What they are told comes by JSON in argv; what they saw goes out as one
// line of JSON.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

export const told = JSON.parse(process.argv[2]);
const { chromium } = createRequire(join(told.web, 'package.json'))('playwright-core');

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
FLAGS.push('--disable-background-networking', '--disable-component-update', '--disable-sync');

/**
 * Open a browser, do something with a page, and tell what came of it. `act` is given the page, a list of what the page
 * threw or wrote to its console as errors, and the browser.
 */
export async function browse(act, options = {}) {
  const browser = await chromium.launch({ executablePath: told.chromium, args: FLAGS });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  const faults = watched(page);
  try {
    const seen = await act({ page, context, browser, faults });
    console.log(JSON.stringify({ ...seen, faults }));
  } catch (error) {
    await Promise.resolve(photo(page, 'failed')).catch(() => undefined);
    const body = (await page.locator('body').innerText().catch(() => '')).slice(0, 2000);
    console.log(JSON.stringify({ error: String(error?.stack ?? error), faults, body }));
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

/** What a page throws, or writes to its console as an error. */
export function watched(page) {
  const faults = [];
  page.setDefaultTimeout(told.timeout);
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  return faults;
}

/** Have something done outside of the browser, and wait until it is. */
export async function ask(what) {
  const answered = new Promise((resolve) => process.stdin.once('data', resolve));
  process.stdin.resume();
  console.log(`ask ${what}`);
  await answered;
  process.stdin.pause();
}

/** Keep answers back whose address fits, until what this gives is called. */
export async function withhold(page, address) {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await page.route(address, async (route) => {
    await released;
    await route.continue().catch(() => undefined); // a page that was left waits for nothing
  });
  return async () => {
    release();
    await page.unrouteAll({ behavior: 'wait' });
  };
}

export const photo = async (page, name) => told.photos && page.screenshot({ path: join(told.photos, `${name}.png`) });

/** Sign in with a key, as a person types it. */
export async function signIn(page, key = told.key) {
  await page.goto(told.address);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Screens', exact: true }).waitFor();
}

export const saved = (page) => page.waitForSelector('[data-testid=save-state][data-state=saved]');
export const saveState = (page, state) => page.waitForSelector(`[data-testid=save-state][data-state=${state}]`);
export const shown = (page, frame) => page.waitForSelector(`.screen[data-shown="${frame}"]`);

/** Until the window was drawn so many times more: what follows from an event is on the screen after two. */
export const drawn = (page, times = 2) =>
  page.evaluate(async (left) => {
    for (; left > 0; left--) await new Promise(requestAnimationFrame);
  }, times);

/** Watch what a page asks for; gives what waits until it asks for nothing any more. */
export function traffic(page) {
  const going = new Set();
  page.on('request', (request) => going.add(request));
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, (request) => going.delete(request));
  return async () => {
    for (let idle = 0; idle < 15; idle = going.size ? 0 : idle + 1) await drawn(page);
  };
}

/** Open a video, with its labels. */
export async function openVideo(page, { id }) {
  await page.goto('about:blank');
  await page.goto(`${told.address}/#/videos/${id}`);
  await shown(page, 0);
  await page.waitForSelector('.screen[data-read=true]');
  await saved(page);
}

/** Sign in and open the video, with what was propagated plotted; what went wrong before that is forgotten. */
export async function openPropagated(page, faults) {
  await signIn(page);
  faults.length = 0;
  await page.goto(`${told.address}/#/videos/${told.video}`);
  await shown(page, 0);
  await page.waitForSelector('.plot canvas[data-known=true]');
}

export async function goTo(page, frame) {
  await page.keyboard.press('g');
  await page.getByLabel('Frame number').fill(String(frame));
  await page.keyboard.press('Enter');
  await shown(page, frame);
}

/** Where a keypoint of the selected subject is, in the window and in the frame. */
export async function keypoint(page, name) {
  const circle = page.locator(`svg circle[data-keypoint="${name}"]`);
  const box = await circle.boundingBox();
  const at = await circle.evaluate((one) => [Number(one.dataset.x), Number(one.dataset.y)]);
  return { left: box.x + box.width / 2, top: box.y + box.height / 2, at };
}

/** Where a position of the frame is in the window, as the whole frame is shown, which is so large. */
export async function spot(page, [x, y], { width, height } = told) {
  const box = await page.locator('.stage').boundingBox();
  const margin = 8;
  const scale = Math.min((box.width - 2 * margin) / width, (box.height - 2 * margin) / height);
  const left = (box.width - width * scale) / 2;
  const top = (box.height - height * scale) / 2;
  return [box.x + left + (x + 0.5) * scale, box.y + top + (y + 0.5) * scale];
}

/** Have pages read the number that a frame carries as black and white blocks, where the whole frame is shown. */
export const numbered = (page) =>
  page.addInitScript(
    `globalThis.readNumber = ${(width, height, bits) => {
      const canvas = document.querySelector('.stage canvas');
      const [across, down] = [canvas.clientWidth - 16, canvas.clientHeight - 16];
      const scale = Math.min(across / width, down / height);
      const ratio = canvas.width / canvas.clientWidth;
      const context = canvas.getContext('2d');
      const block = Math.floor(width / bits);
      let number = 0;
      for (let bit = 0; bit < bits; bit++) {
        const x = (canvas.clientWidth - width * scale) / 2 + (bit * block + block / 2) * scale;
        const y = (canvas.clientHeight - height * scale) / 2 + (height / 6) * scale;
        if (context.getImageData(x * ratio, y * ratio, 1, 1).data[0] > 128) number |= 1 << bit;
      }
      return number;
    }}`,
  );

/** Drag a keypoint by some pixels of the window. */
export async function drag(page, name, by) {
  const { left, top } = await keypoint(page, name);
  await page.mouse.move(left, top);
  await page.mouse.down();
  await page.mouse.move(left + by[0], top + by[1], { steps: 4 });
  await page.mouse.up();
}

const axe = () => readFileSync(join(told.web, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');

/** What axe finds wrong with what is on the screen. */
export async function violations(page) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe());
  return page.evaluate(async () => {
    const found = await globalThis.axe.run();
    return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
  });
}

/** Light or dark, with the colours that everything has in the end. */
export async function theme(page, name) {
  await page.evaluate(async (now) => {
    document.documentElement.dataset.theme = now;
    await new Promise(requestAnimationFrame);
    for (const one of document.getAnimations()) if (one.effect.getComputedTiming().endTime !== Infinity) one.finish();
    await new Promise(requestAnimationFrame);
  }, name);
}
