/** The texts of pages that few open: what the wall and the review need is on the way before them. Imported where they are used. */
import { learn } from '../core/text'
import more from './en-more.json'

learn(more)
