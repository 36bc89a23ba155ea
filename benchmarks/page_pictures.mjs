// Pictures of the page for the documentation.
import { browse, goTo, photo, saved, shown, signIn, spot, told } from '../tests/page/browse.mjs';

await browse(async ({ page }) => {
  const draw = async (name) => {
    await page.waitForTimeout(1500);
    await photo(page, name);
  };
  await signIn(page);
  await page.goto(`${told.address}/#/projects/${told.project}`);
  await page.locator('a[href^="#/videos/"]').first().waitFor();
  await draw('videos');
  await page.getByRole('button', { name: 'New project' }).first().click();
  await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('Mice in a field');
  await draw('new-project');
  await page.keyboard.press('Escape');
  await page.goto(`${told.address}/#/videos/${told.blank}`);
  await shown(page, 0);
  await page.locator('.screen').first().waitFor();
  for (const place of told.places) {
    const [x, y] = await spot(page, place);
    await page.mouse.click(x, y);
    await saved(page);
  }
  await draw('placing');
  await page.goto(`${told.address}/#/videos/${told.video}`);
  await shown(page, 0);
  await page.waitForFunction(() => document.querySelectorAll('svg circle[data-keypoint]').length > 0);
  await goTo(page, told.frame);
  await draw('labelling');
  await page.keyboard.press('r');
  await page.getByRole('list', { name: 'Review' }).getByText(/^Frame \d+/).first().waitFor();
  await page.getByRole('button', { name: /theme/ }).click();
  await draw('review');
});
