// Pictures of the page for the documentation.
import { browse, goTo, photo, shown, signIn, told } from '../tests/page/browse.mjs';

await browse(async ({ page }) => {
  const draw = async (name) => {
    await page.waitForTimeout(1500);
    await photo(page, name);
  };
  await signIn(page);
  await page.goto(`${told.address}/#/projects/${told.project}`);
  await page.locator('a[href^="#/videos/"]').first().waitFor();
  await draw('videos');
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
