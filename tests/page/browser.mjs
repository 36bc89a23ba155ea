// A person's way through the page, in a real browser. Told by JSON in argv: what to open, which file to upload, where
// to click. Prints one JSON line with what was seen.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const told = JSON.parse(process.argv[2]);
const { chromium } = createRequire(join(told.web, 'package.json'))('playwright-core');

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
FLAGS.push('--disable-background-networking', '--disable-component-update', '--disable-sync');

const browser = await chromium.launch({ executablePath: told.chromium, args: FLAGS });
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, acceptDownloads: true });
page.setDefaultTimeout(told.timeout);
const faults = [];
page.on('pageerror', (error) => faults.push(String(error)));
page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));

const photo = async (name) => told.photos && (await page.screenshot({ path: join(told.photos, `${name}.png`) }));
const saved = () => page.waitForSelector('[data-testid=save-state][data-state=saved]');
const shown = (frame) => page.waitForSelector(`.screen[data-shown="${frame}"]`);

/** Where a position of the frame is in the window, as the whole frame is shown. */
async function spot([x, y]) {
  const box = await page.locator('.stage').boundingBox();
  const margin = 8;
  const scale = Math.min((box.width - 2 * margin) / told.width, (box.height - 2 * margin) / told.height);
  const left = (box.width - told.width * scale) / 2;
  const top = (box.height - told.height * scale) / 2;
  return [box.x + left + (x + 0.5) * scale, box.y + top + (y + 0.5) * scale];
}

async function goTo(frame) {
  await page.keyboard.press('g');
  await page.getByLabel('Frame number').fill(String(frame));
  await page.keyboard.press('Enter');
  await shown(frame);
}

try {
  await page.goto(told.address);
  await page.getByRole('button', { name: 'New project' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill(told.project);
  await dialog.getByLabel(/^Skeleton/).selectOption('own');
  await dialog.getByLabel(/^Keypoints/).fill(told.keypoints.join('\n'));
  await dialog.getByLabel(/^Edges/).fill(told.edges.join('\n'));
  await photo('new-project');
  await dialog.getByRole('button', { name: 'Create' }).click();

  await page.getByTestId('files').setInputFiles(told.video);
  const card = page.locator('a[href^="#/videos/"]');
  await card.waitFor();
  await photo('home');
  const heading = await page.locator('main h1').innerText();
  await card.click();
  await shown(0);

  for (const [index, frame] of told.frames.entries()) {
    await goTo(frame);
    if (index > 0) await page.keyboard.press('Enter');
    for (const [keypoint, [x, y, v]] of told.poses[index].entries()) {
      await page.getByText(`Click: ${told.keypoints[keypoint]}`, { exact: true }).waitFor();
      const [left, top] = await spot([x, y]);
      await page.mouse.click(left, top, { button: v === 1 ? 'right' : 'left' });
    }
    await page.getByText('Everything is placed.').waitFor();
    await photo(`labelled-${index}`);
  }
  await saved();

  await page.getByLabel('Engine').selectOption(told.engine);
  await page.getByRole('button', { name: 'Propagate', exact: true }).click();
  await page.getByText('Run 1').waitFor();
  await page.locator('aside li', { hasText: 'Run 1' }).getByText('done').waitFor();
  await goTo(told.between);
  await page.locator('aside li', { hasText: told.keypoints[0] }).getByText('machine').waitFor();
  await photo('propagated');
  const machine = await page.locator('svg circle[data-keypoint]').evaluateAll((all) =>
    all.map((one) => [one.dataset.keypoint, Number(one.dataset.x), Number(one.dataset.y)]),
  );

  // Held keys show only frames that are there, one after the other; letting go ends it.
  await page.keyboard.down('ArrowRight');
  await page.waitForFunction((from) => Number(document.querySelector('.screen').dataset.shown) > from + 2, told.between);
  await page.keyboard.up('ArrowRight');

  // A drag moves one keypoint, and undo takes it back.
  await goTo(told.between);
  const [name, x, y] = machine[0];
  const [fromX, fromY] = await spot([x, y]);
  await page.mouse.move(fromX, fromY);
  await page.mouse.down();
  await page.mouse.move(fromX + 20, fromY + 10, { steps: 4 });
  await page.mouse.up();
  await page.locator('aside li', { hasText: name }).getByText(/^(visible|hidden)$/).waitFor();
  await saved();
  await page.keyboard.press('Control+z');
  await page.locator('aside li', { hasText: name }).getByText('machine').waitFor();
  await saved();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await photo('keys');
  await page.keyboard.press('Escape');

  await page.getByTitle('All videos').click();
  await page.getByRole('button', { name: 'Export COCO' }).click();
  const link = page.getByRole('link', { name: 'Download' });
  await link.waitFor();
  const download = page.waitForEvent('download');
  await link.click();
  await (await download).saveAs(told.exported);
  await page.getByRole('button', { name: /theme/ }).click();
  await photo('home-other-theme');
  await card.click();
  await shown(0);
  await goTo(told.between);
  await page.waitForTimeout(told.photos ? 1500 : 0);
  await photo('labelling-other-theme');
  console.log(JSON.stringify({ heading, machine, faults, hash: await page.evaluate(() => location.hash) }));
} catch (error) {
  await photo('failed');
  console.log(JSON.stringify({ error: String(error), faults, body: (await page.locator('body').innerText()).slice(0, 2000) }));
  process.exitCode = 1;
} finally {
  await browser.close();
}
