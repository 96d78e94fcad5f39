import { Api } from '../core/api'

/** The one API client of the page. */
export const api = new Api()
